"""Solves a linear system by numpy's LAPACK, and reads the result back through ctypes. 2x + y = 3, x + 3y = 5."""

import ctypes

import numpy

x = numpy.linalg.solve(numpy.array([[2.0, 1.0], [1.0, 3.0]]), numpy.array([3.0, 5.0]))
raw = (ctypes.c_double * 2).from_buffer(x)
print(f"x {raw[0]:.1f} {raw[1]:.1f}")
