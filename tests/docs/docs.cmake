# What README.md and docs/*.md show is compiled (snippets.cmake extracts it); whole programs run in
# examples/CMakeLists.txt.
target_include_directories(test_docs PRIVATE ${doc_snippets})
target_compile_options(test_docs PRIVATE -O0)  # most of it never runs
set_source_files_properties(docs/snippets_test.cpp docs/judge_snippet.cpp docs/engine_snippet.cpp
                            docs/service_snippet.cpp PROPERTIES
  COMPILE_OPTIONS -Wno-unused)  # of the source: clang++ obeys the last flag, and -Wall comes late
set_target_properties(test_docs PROPERTIES DISABLE_PRECOMPILE_HEADERS ON)  # of another optimisation
if(TARGET dualagent::http)
  target_sources(test_docs PRIVATE docs/judge_snippet.cpp docs/engine_snippet.cpp)
  target_link_libraries(test_docs PRIVATE dualagent::http)
else()
  message(STATUS "the judge of docs/rewards.md and docs/engines.md: not compiled, libcurl is not installed")
endif()
if(TARGET dualagent::http_server)
  target_sources(test_docs PRIVATE docs/service_snippet.cpp)
  target_link_libraries(test_docs PRIVATE dualagent::http_server)
else()
  message(STATUS "docs/service.md: not compiled, cpp-httplib is not installed")
endif()
if(TARGET dualagent::sqlite)
  target_sources(test_docs PRIVATE docs/store_snippet.cpp docs/async_snippet.cpp)
  target_link_libraries(test_docs PRIVATE dualagent::sqlite)
  if(TARGET test_http)
    target_sources(test_docs PRIVATE docs/store_http_snippet.cpp)
    target_link_libraries(test_docs PRIVATE test_http)
  endif()
else()
  message(STATUS "docs/store.md and docs/asynchronous.md: not compiled, SQLite is not installed")
endif()
target_sources(test_cuda_emulated PRIVATE docs/cuda_snippets.cpp)
target_include_directories(test_cuda_emulated PRIVATE ${doc_snippets} ${PROJECT_SOURCE_DIR}/examples)

add_test(NAME docs/every_block_is_compiled
  COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DSNIPPETS=${doc_snippets}
          -P ${CMAKE_CURRENT_LIST_DIR}/check_used.cmake)
add_test(NAME docs/readme_is_first_trainer
  COMMAND ${CMAKE_COMMAND} -E compare_files ${doc_snippets}/README/thirty-lines.inc
          ${PROJECT_SOURCE_DIR}/examples/first_trainer.cpp)
