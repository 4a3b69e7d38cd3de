# polder::cccl: the headers of Thrust and CUB, from the CUDA toolkit where there is one, else from the system (Debian:
# libthrust-dev). They compile with any C++ compiler for the CPP and OMP device systems.
if(NOT TARGET polder::cccl)
  find_path(POLDER_CCCL_INCLUDE_DIR thrust/version.h
    HINTS ENV CUDA_HOME ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES include/cccl include)
  mark_as_advanced(POLDER_CCCL_INCLUDE_DIR)
  if(POLDER_CCCL_INCLUDE_DIR)
    add_library(polder::cccl INTERFACE IMPORTED GLOBAL)
    target_include_directories(polder::cccl SYSTEM INTERFACE "${POLDER_CCCL_INCLUDE_DIR}")
  endif()
endif()
