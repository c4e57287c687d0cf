//! What a plan says of the standard kernels, word for word. Snapshots of text may be blessed
//! again; the numbers in them follow from the kernels and never change by themselves.
