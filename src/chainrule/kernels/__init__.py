"""Graph to native code, through LLVM.

A small graph is compiled whole, every array in one vector (`whole`), or with a network in each lane
(`lanes`); both by the same rules, so that a result does not depend on which.
"""
