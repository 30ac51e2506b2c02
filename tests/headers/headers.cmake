# Target `headers_alone`: each header includes all it needs. chains.awk deals them to translation units. Not part of
# a default build. What needs nvcc or an optional dependency is compiled by its tests alone.
get_target_property(headers dualagent HEADER_SET)
list(TRANSFORM headers REPLACE "^.*/(include|kernels_inl)/" "")
execute_process(COMMAND awk -v ROOT=${PROJECT_SOURCE_DIR} -f ${CMAKE_CURRENT_LIST_DIR}/chains.awk ${headers}
                OUTPUT_VARIABLE chains COMMAND_ERROR_IS_FATAL ANY)
string(STRIP "${chains}" chains)
string(REPLACE "\n" ";" chains "${chains}")
set_property(DIRECTORY ${PROJECT_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/chains.awk)

set(sources "")
foreach(chain IN LISTS chains)
  string(REGEX REPLACE "^.* " "" last "${chain}")
  string(REPLACE "/" "_" name "${last}")
  string(REGEX REPLACE "([^ ]+) ?" "#include \"\\1\"\n" text "${chain}")
  set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
  file(CONFIGURE OUTPUT ${source} CONTENT "${text}" @ONLY)
  list(APPEND sources ${source})
endforeach()
add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${sources})
target_link_libraries(headers_alone PRIVATE dualagent_own)
