# What README.md and docs/*.md show is compiled (snippets.cmake extracts it); whole programs run in
# examples/CMakeLists.txt.
if(TARGET test_docs)
  target_include_directories(test_docs PRIVATE ${doc_snippets})
  target_compile_options(test_docs PRIVATE -O0)  # most of it never runs
  get_target_property(doc_sources test_docs SOURCES)
  set_source_files_properties(${doc_sources} PROPERTIES
    COMPILE_OPTIONS -Wno-unused)  # of the source: clang++ obeys the last flag, and -Wall comes late
  set_target_properties(test_docs PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)  # of another optimisation
  target_link_libraries(test_docs PRIVATE ${doc_libraries})
endif()
target_sources(test_cuda_emulated PRIVATE docs/cuda_snippets.cpp)
target_include_directories(test_cuda_emulated PRIVATE ${doc_snippets} ${PROJECT_SOURCE_DIR}/examples)

add_test(NAME docs/every_block_is_compiled
  COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DSNIPPETS=${doc_snippets}
          -P ${CMAKE_CURRENT_LIST_DIR}/check_used.cmake)
add_test(NAME docs/readme_is_first_trainer
  COMMAND ${CMAKE_COMMAND} -E compare_files ${doc_snippets}/README/thirty-lines.inc
          ${PROJECT_SOURCE_DIR}/examples/first_trainer.cpp)
