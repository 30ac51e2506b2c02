# All of examples/retool_summary but its main function as the library TARGET: for the program, and for
# tests/retool_summary, which compiles it by flags of its own. One file for each pairing, so that they compile
# in parallel; not part of a default build.
function(add_retool_summary_parts target)
  set(parts "")
  foreach(part run warm_start shared two answerer adapters judge)
    list(APPEND parts ${PROJECT_SOURCE_DIR}/examples/retool_summary/${part}.cpp)
  endforeach()
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${parts})
  target_link_libraries(${target} PUBLIC dualagent_own)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/examples)
  if(TARGET dualagent::http)
    target_link_libraries(${target} PRIVATE dualagent::http)
    target_compile_definitions(${target} PRIVATE RETOOL_SUMMARY_HTTP)
  endif()
endfunction()
