# dualagent::pcre2: the library and PCRE2 for 32-bit characters, for text/pcre2_expression.hpp. Exists
# only where pkg-config finds libpcre2-32 (Debian: libpcre2-dev).
if(TARGET dualagent::pcre2)
  return()
endif()
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(dualagent_libpcre2 QUIET IMPORTED_TARGET GLOBAL libpcre2-32)
  if(TARGET PkgConfig::dualagent_libpcre2)
    add_library(dualagent::pcre2 INTERFACE IMPORTED GLOBAL)
    target_link_libraries(dualagent::pcre2 INTERFACE dualagent::dualagent PkgConfig::dualagent_libpcre2)
  endif()
endif()
