# dualagent::sqlite: the library and SQLite, for store/sqlite_*.hpp. Exists only where pkg-config finds
# SQLite 3.37, which has all that the store asks for (Debian: libsqlite3-dev).
if(TARGET dualagent::sqlite)
  return()
endif()
find_package(PkgConfig QUIET)
if(PkgConfig_FOUND)
  pkg_check_modules(dualagent_libsqlite QUIET IMPORTED_TARGET GLOBAL sqlite3>=3.37)
  if(TARGET PkgConfig::dualagent_libsqlite)
    add_library(dualagent::sqlite INTERFACE IMPORTED GLOBAL)
    target_link_libraries(dualagent::sqlite INTERFACE dualagent::dualagent PkgConfig::dualagent_libsqlite)
  endif()
endif()
