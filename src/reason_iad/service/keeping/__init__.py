"""What is kept on the disk: pictures, how long, and copies of everything."""
