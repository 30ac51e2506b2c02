include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(dualagent_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/dualagent)
install(TARGETS dualagent EXPORT dualagent FILE_SET HEADERS FILE_SET texts FILE_SET http
        FILE_SET eigen FILE_SET pcre2 FILE_SET mpi FILE_SET sqlite FILE_SET cuda)
if(DUALAGENT_INSTALL_COMPILED)
  install(TARGETS dualagent_compiled EXPORT dualagent)
else()
  set(arch_independent ARCH_INDEPENDENT)
endif()
install(EXPORT dualagent NAMESPACE dualagent:: FILE dualagent-targets.cmake
        DESTINATION ${dualagent_package_dir})
configure_package_config_file(cmake/dualagent-config.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/dualagent-config.cmake
  INSTALL_DESTINATION ${dualagent_package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/dualagent-config-version.cmake
  COMPATIBILITY SameMinorVersion ${arch_independent})
install(FILES cmake/http.cmake DESTINATION ${dualagent_package_dir} RENAME dualagent-http.cmake)
install(FILES cmake/http_server.cmake DESTINATION ${dualagent_package_dir} RENAME dualagent-http-server.cmake)
install(FILES cmake/eigen.cmake DESTINATION ${dualagent_package_dir} RENAME dualagent-eigen.cmake)
install(FILES cmake/pcre2.cmake DESTINATION ${dualagent_package_dir} RENAME dualagent-pcre2.cmake)
install(FILES cmake/mpi.cmake DESTINATION ${dualagent_package_dir} RENAME dualagent-mpi.cmake)
install(FILES cmake/sqlite.cmake DESTINATION ${dualagent_package_dir} RENAME dualagent-sqlite.cmake)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/dualagent-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/dualagent-config-version.cmake
        DESTINATION ${dualagent_package_dir})
