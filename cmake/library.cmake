# polder::polder and its components: header-only targets. A header that needs an optional library belongs to the component
# of that library and to no other target; io/xz.hpp does without it, too, and then says so when it meets a stream.
set(polder_components eigen thrust cuda cublas mpi zlib lzma)
set(polder_eigen_headers backend/eigen.hpp)
# what only nvcc reads is empty for others, and is checked with them
set(polder_thrust_headers backend/thrust.hpp backend/cublas.hpp backend/cuda_graph.hpp backend/cuda_kernels.hpp
  backend/cuda_late_numbers.hpp backend/cuda_ordering.hpp backend/cuda_passes.hpp
  backend/thrust_cuda.hpp)
set(polder_mpi_headers comm/mpi.hpp)
set(polder_zlib_headers io/gzip.hpp data/load.hpp)
set(polder_lzma_headers io/xz.hpp)

set(polder_include_dir "${PROJECT_SOURCE_DIR}/include")
file(GLOB_RECURSE polder_headers CONFIGURE_DEPENDS RELATIVE "${polder_include_dir}/polder" "${polder_include_dir}/*.hpp")
foreach(component IN LISTS polder_components)
  list(REMOVE_ITEM polder_headers ${polder_${component}_headers})
endforeach()

# polder_library(<target> <name after polder::> <headers...>)
function(polder_library target name)
  add_library(${target} INTERFACE)
  add_library(polder::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  list(TRANSFORM ARGN PREPEND "${polder_include_dir}/polder/" OUTPUT_VARIABLE files)
  foreach(file IN LISTS files)
    if(NOT EXISTS "${file}")
      list(REMOVE_ITEM files "${file}")
    endif()
  endforeach()
  target_sources(${target} INTERFACE FILE_SET HEADERS BASE_DIRS "${polder_include_dir}" FILES ${files})
endfunction()

polder_library(polder polder ${polder_headers})
target_compile_features(polder INTERFACE cxx_std_20)
target_link_libraries(polder INTERFACE Threads::Threads)
foreach(component IN LISTS polder_components)
  polder_library(polder_${component} ${component} ${polder_${component}_headers})
  target_link_libraries(polder_${component} INTERFACE polder)
endforeach()

target_link_libraries(polder_eigen INTERFACE Eigen3::Eigen)
target_link_libraries(polder_thrust INTERFACE polder::cccl)
target_link_libraries(polder_mpi INTERFACE MPI::MPI_CXX)
target_link_libraries(polder_zlib INTERFACE ZLIB::ZLIB)
target_link_libraries(polder_lzma INTERFACE LibLZMA::LibLZMA)
target_compile_definitions(polder_lzma INTERFACE POLDER_HAVE_LZMA)
target_link_libraries(polder_cuda INTERFACE polder_thrust CUDA::cudart)
target_link_libraries(polder_cublas INTERFACE polder_cuda CUDA::cublas)
target_compile_options(polder_cuda INTERFACE $<$<COMPILE_LANG_AND_ID:CUDA,NVIDIA>:--expt-relaxed-constexpr>)
