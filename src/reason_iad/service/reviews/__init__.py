"""What people say of parts: reviews, what a product learns of them, and what a change would do."""
