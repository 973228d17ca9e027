"""What is normal for one kind of part, learnt from its good images: the expert of a product (METHOD section 4).

In the order in which they are used: `looks.py` (what is seen of a picture), `space.py` (three ways in which a patch
can differ), `level.py` (a memory at one resolution), `statistics.py` (what an image's patches say together),
`standing.py` (against what good parts show), `likeness.py` (is it this kind of part at all?), and `learning.py`,
which makes an `expert.ProductExpert` of all. `drawing.py` draws defects on good images, `selftest.py` looks for
them, and `checks.py` says which good images somebody should look at.
"""
