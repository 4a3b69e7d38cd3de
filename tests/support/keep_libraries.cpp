// Linked into programs that talk MPI when they are built with the address sanitizer: libraries that were loaded stay
// loaded, so that the leak checker can name them at the end and tests/support/openmpi.supp applies.
extern "C" int dlclose(void*) { return 0; }
