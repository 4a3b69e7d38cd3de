# cmake -D WAY=... -D SOURCE_DIR=... -D BUILD_DIR=... -D WORK_DIR=... -D COMPILER=... -D GENERATOR=... -D VERSION=...
#   -P packaging.cmake
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(consumer "${SOURCE_DIR}/tests/packaging/consumer")
set(prefix "${WORK_DIR}/prefix")
set(program "${WORK_DIR}/build/consumer")
file(REMOVE_RECURSE "${WORK_DIR}")
file(MAKE_DIRECTORY "${WORK_DIR}/build")
if(NOT WAY STREQUAL "add_subdirectory")
  run(${CMAKE_COMMAND} --install "${BUILD_DIR}" --prefix "${prefix}")
endif()

if(WAY STREQUAL "find_package" OR WAY STREQUAL "add_subdirectory")
  run(${CMAKE_COMMAND} -S "${consumer}" -B "${WORK_DIR}/build" -G "${GENERATOR}" -D CMAKE_BUILD_TYPE=Debug
    -D CMAKE_CXX_COMPILER=${COMPILER} -D WAY=${WAY} -D CMAKE_PREFIX_PATH=${prefix} -D POLDER_SOURCE_DIR=${SOURCE_DIR}
    -D POLDER_VERSION=${VERSION})
  run(${CMAKE_COMMAND} --build "${WORK_DIR}/build")
elseif(WAY STREQUAL "pkg_config")
  set(ENV{PKG_CONFIG_PATH} "${prefix}/share/pkgconfig")
  run(pkg-config --exact-version=${VERSION} polder)
  run(pkg-config --cflags polder)
  separate_arguments(flags UNIX_COMMAND "${output}")
  run(${COMPILER} -std=c++20 "${consumer}/consumer.cpp" -o "${program}" ${flags})
else()
  run(${COMPILER} -std=c++20 -pthread -I "${prefix}/include" "${consumer}/consumer.cpp" -o "${program}")
endif()

run("${program}")
if(NOT output STREQUAL "polder ${VERSION}\n")
  message(FATAL_ERROR "the consumer should print \"polder ${VERSION}\" but printed \"${output}\"")
endif()
