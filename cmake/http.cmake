# dualagent::http: the library and libcurl, for net/http_client.hpp and the headers of engine/ and service/
# that talk HTTP. Exists only where libcurl is found (Debian: libcurl4-openssl-dev).
if(TARGET dualagent::http)
  return()
endif()
find_package(CURL 7.68 QUIET GLOBAL)
if(TARGET CURL::libcurl)
  add_library(dualagent::http INTERFACE IMPORTED GLOBAL)
  target_link_libraries(dualagent::http INTERFACE dualagent::dualagent CURL::libcurl)
endif()
