"""Tests of the HTTP edge: black box, over fake stages."""
