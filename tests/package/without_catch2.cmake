# Without Catch2 the project configures without its tests and says so; tests that are asked for fail.
function(configure wanted expected pattern)
  file(REMOVE_RECURSE ${WORK})
  execute_process(
    COMMAND ${CMAKE_COMMAND} -S ${ROOT} -B ${WORK} -G ${GENERATOR} -DCMAKE_CXX_COMPILER=${CXX}
            -DCMAKE_DISABLE_FIND_PACKAGE_Catch2=ON -DDUALAGENT_BUILD_TESTS=${wanted} ${JSON}
    RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
  if(NOT code STREQUAL expected OR NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "DUALAGENT_BUILD_TESTS=${wanted}: exit status ${code}, not ${expected}, or no "
                        "'${pattern}' in:\n${text}")
  endif()
endfunction()

configure(AUTO 0 "tests: not built, Catch2 is not installed; bash tests/run.sh installs it")
if(EXISTS ${WORK}/tests)
  message(FATAL_ERROR "tests were configured without Catch2")
endif()
configure(ON 1 "Catch2")
