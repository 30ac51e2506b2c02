# Every file here must not compile, and the first error must match its first line,
# "// expect: REGEX"; with g++ and with clang++ where it is installed. One test compiles them together;
# that of a case looks for its error there, and compiles it alone if it is not found. A case whose
# error is of a type of the library alone may share it with another: give it a type of its own.
find_program(DUALAGENT_GXX NAMES g++ g++-14 g++-13 g++-12)
find_program(DUALAGENT_CLANGXX NAMES clang++ clang++-19 clang++-18 clang++-17 clang++-16 clang++-15 clang++-14)
set(json_includes $<TARGET_PROPERTY:nlohmann_json::nlohmann_json,INTERFACE_INCLUDE_DIRECTORIES>)
file(GLOB cases CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cpp)
foreach(compiler IN ITEMS ${DUALAGENT_GXX} ${DUALAGENT_CLANGXX})
  if(NOT compiler)
    continue()
  endif()
  get_filename_component(compiler_name ${compiler} NAME)
  set(found ${CMAKE_CURRENT_BINARY_DIR}/compile_fail_${compiler_name})
  set(with -DCOMPILER=${compiler} -DROOT=${PROJECT_SOURCE_DIR} -DFOUND=${found} "-DJSON=${json_includes}")
  add_test(NAME compile_fail/all/${compiler_name}
    COMMAND ${CMAKE_COMMAND} ${with} -DCASES=${CMAKE_CURRENT_LIST_DIR}
            -P ${CMAKE_CURRENT_LIST_DIR}/compile_all.cmake)
  set_tests_properties(compile_fail/all/${compiler_name} PROPERTIES
    FIXTURES_SETUP compile_fail_${compiler_name} TIMEOUT 300)
  foreach(case IN LISTS cases)
    get_filename_component(case_name ${case} NAME_WE)
    add_test(NAME compile_fail/${case_name}/${compiler_name}
      COMMAND ${CMAKE_COMMAND} ${with} -DCASE=${case} -P ${CMAKE_CURRENT_LIST_DIR}/run_case.cmake)
    set_tests_properties(compile_fail/${case_name}/${compiler_name} PROPERTIES
      FIXTURES_REQUIRED compile_fail_${compiler_name} TIMEOUT 120)
  endforeach()
endforeach()
add_test(NAME compile_fail_self_test
  COMMAND ${CMAKE_COMMAND} "-DCOMPILERS=${DUALAGENT_GXX}|${DUALAGENT_CLANGXX}"
          -DWORK=${CMAKE_CURRENT_BINARY_DIR}/compile_fail -P ${CMAKE_CURRENT_LIST_DIR}/self_test.cmake)
if(NOT DUALAGENT_CLANGXX)
  message(STATUS "compile-fail tests with clang++: not run, clang++ is not installed")
endif()
