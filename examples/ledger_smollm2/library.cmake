# All of examples/ledger_smollm2 but its main function as the library TARGET: for the program, and for
# tests/ledger_smollm2, which compiles it by flags of its own. One file for each pairing, so that they compile
# in parallel; not part of a default build.
function(add_ledger_smollm2_parts target)
  set(parts "")
  foreach(part run warm_start dual frozen sliding_window)
    list(APPEND parts ${PROJECT_SOURCE_DIR}/examples/ledger_smollm2/${part}.cpp)
  endforeach()
  add_library(${target} STATIC EXCLUDE_FROM_ALL ${parts})
  target_link_libraries(${target} PUBLIC dualagent_own)
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/examples)
endfunction()
