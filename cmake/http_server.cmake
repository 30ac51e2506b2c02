# dualagent::http_server: the library and cpp-httplib, for net/http_server.hpp and the services of service/ and
# store/ on it. Exists only where cpp-httplib is found, by its own package or by pkg-config (Debian:
# libcpp-httplib-dev).
if(TARGET dualagent::http_server)
  return()
endif()
set(httplib "")
find_package(httplib QUIET CONFIG GLOBAL)
if(TARGET httplib::httplib)
  set(httplib httplib::httplib)
else()
  find_package(PkgConfig QUIET)
  if(PkgConfig_FOUND)
    pkg_check_modules(cpp_httplib QUIET IMPORTED_TARGET GLOBAL cpp-httplib)
    if(TARGET PkgConfig::cpp_httplib)
      set(httplib PkgConfig::cpp_httplib)
      # Functions in its header call OpenSSL (0.18 of Debian 13: each thread as it ends), which pkg-config names for
      # static libraries only.
      pkg_check_modules(cpp_httplib_openssl QUIET IMPORTED_TARGET GLOBAL openssl)
      list(APPEND httplib $<TARGET_NAME_IF_EXISTS:PkgConfig::cpp_httplib_openssl>)
    endif()
  endif()
endif()
if(httplib)
  add_library(dualagent::http_server INTERFACE IMPORTED GLOBAL)
  target_link_libraries(dualagent::http_server INTERFACE dualagent::dualagent ${httplib})
endif()
