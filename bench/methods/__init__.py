"""Ways to measure a sweep behind one interface: ours, the published ones, and what they share.

:data:`bench.methods.base.Method` is the interface; :func:`bench.methods.registry.methods` lists
them all. The published ones are written anew from their papers' descriptions; where a paper leaves
a number open, the module says which was taken and how.
"""
