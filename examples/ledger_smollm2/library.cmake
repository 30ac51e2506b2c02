# All of examples/ledger_smollm2 but its main function: for the program, and for tests/ledger_smollm2. One
# file for each type of trainer, so that they compile in parallel; not part of a default build.
if(NOT TARGET ledger_smollm2_parts)
  set(parts "")
  foreach(part run warm_start dual frozen sliding_window)
    list(APPEND parts ${PROJECT_SOURCE_DIR}/examples/ledger_smollm2/${part}.cpp)
  endforeach()
  add_library(ledger_smollm2_parts STATIC EXCLUDE_FROM_ALL ${parts})
  target_link_libraries(ledger_smollm2_parts PUBLIC dualagent_own)
  target_include_directories(ledger_smollm2_parts PUBLIC ${PROJECT_SOURCE_DIR}/examples)
endif()
