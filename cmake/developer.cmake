# polder_developer: what polder's own programs are compiled with. Never exported, never forced on users.
set(CMAKE_CXX_EXTENSIONS OFF)
add_library(polder_developer INTERFACE)
set(warnings -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # g++ 12 at -O3 sees writes past ends and uninitialized values that its own inlining has invented, in the standard
  # library's and the processor's headers.
  list(APPEND warnings -Wno-array-bounds -Wno-stringop-overflow -Wno-stringop-overread -Wno-restrict
    -Wno-free-nonheap-object -Wno-maybe-uninitialized)
  # Collecting its garbage for the first time at 2 GB saves g++ a twentieth of its time; the largest units need 2.5 GB.
  target_compile_options(polder_developer INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-heapsize=1000000>")
endif()
if(POLDER_WERROR)
  list(APPEND warnings -Werror)
  target_compile_options(polder_developer INTERFACE "$<$<COMPILE_LANGUAGE:CUDA>:SHELL:-Werror all-warnings>")
endif()
if(POLDER_NATIVE)
  target_compile_options(polder_developer INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=native>)
endif()
if(POLDER_SANITIZE)
  set(sanitize -fsanitize=${POLDER_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(polder_developer INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${sanitize}>")
  target_link_options(polder_developer INTERFACE ${sanitize})
endif()
target_compile_options(polder_developer INTERFACE "$<$<COMPILE_LANGUAGE:CXX>:${warnings}>")

# Stops at the first library that is missing, with the remedy. polder_require(<target> <Debian's package> <who needs it>)
macro(polder_require target package who)
  if(NOT TARGET ${target})
    message(FATAL_ERROR "${who} need ${target}: install it (Debian: apt-get install ${package})")
  endif()
endmacro()

# polder_developer_data: for programs that read data sets; .xz files where there is liblzma.
add_library(polder_developer_data INTERFACE)
target_link_libraries(polder_developer_data INTERFACE polder::zlib)
if(TARGET LibLZMA::LibLZMA)
  target_link_libraries(polder_developer_data INTERFACE polder::lzma)
endif()

# polder_developer_mpi: for programs that start MPI.
add_library(polder_developer_mpi INTERFACE)
target_link_libraries(polder_developer_mpi INTERFACE polder::mpi)
if(POLDER_SANITIZE MATCHES "address")
  # In the program alone: an object library that it is linked from would bring the same function once more.
  target_sources(polder_developer_mpi INTERFACE
    "$<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${PROJECT_SOURCE_DIR}/tests/support/keep_libraries.cpp>")
  target_link_options(polder_developer_mpi INTERFACE -rdynamic)
endif()
