include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
# Headers only: nothing here depends on the architecture.
set(config_dir "${CMAKE_INSTALL_DATADIR}/cmake/polder")

# One export per component, so that find_package(polder) needs no optional library.
install(TARGETS polder EXPORT polder-targets FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT polder-targets NAMESPACE polder:: DESTINATION "${config_dir}")
foreach(component IN LISTS polder_components)
  install(TARGETS polder_${component} EXPORT polder-${component}
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(EXPORT polder-${component} NAMESPACE polder:: DESTINATION "${config_dir}")
endforeach()

configure_package_config_file(cmake/polder-config.cmake.in polder-config.cmake INSTALL_DESTINATION "${config_dir}"
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(polder-config-version.cmake COMPATIBILITY SameMajorVersion ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/polder-config.cmake" "${PROJECT_BINARY_DIR}/polder-config-version.cmake"
  cmake/polder-cccl.cmake DESTINATION "${config_dir}")

configure_file(cmake/polder.pc.in polder.pc @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/polder.pc" DESTINATION "${CMAKE_INSTALL_DATADIR}/pkgconfig")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
