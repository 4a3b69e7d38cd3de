# The gates of CONTRIBUTING.md as targets (and the cheap ones as tests): each is a script under cmake/gates.
set(gates "${PROJECT_SOURCE_DIR}/cmake/gates")

# gate(<name> <command...>)
function(gate name)
  add_custom_target(${name} COMMAND ${ARGN} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}" USES_TERMINAL VERBATIM)
endfunction()

set(optional_headers "")
foreach(component IN LISTS polder_components)
  list(APPEND optional_headers ${polder_${component}_headers})
endforeach()

gate(check_layers sh "${gates}/check_layers.sh")
gate(check_umbrella sh "${gates}/check_umbrella.sh" ${CMAKE_CXX_COMPILER} ${optional_headers})
gate(check_format sh "${gates}/format.sh" --check)
gate(format sh "${gates}/format.sh")
set(system_flags "")
foreach(library Eigen3::Eigen MPI::MPI_CXX polder::cccl)
  if(TARGET ${library})
    get_target_property(dirs ${library} INTERFACE_INCLUDE_DIRECTORIES)
    list(TRANSFORM dirs PREPEND -isystem)
    list(APPEND system_flags ${dirs})
  endif()
endforeach()
gate(check_compile_cost bash "${gates}/compile_cost.sh" ${CMAKE_CXX_COMPILER} ${system_flags})
gate(tidy sh "${gates}/tidy.sh" "${PROJECT_BINARY_DIR}")

if(POLDER_TESTS)
  add_test(NAME layers COMMAND sh "${gates}/check_layers.sh" WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
  add_test(NAME umbrella COMMAND sh "${gates}/check_umbrella.sh" ${CMAKE_CXX_COMPILER} ${optional_headers}
    WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
endif()
