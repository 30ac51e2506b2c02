# The harness must refuse a case that compiles, one that fails with another sentence, one without an
# expectation, and one that only the include stack would match; it must accept a good one.
file(REMOVE_RECURSE ${WORK})
file(WRITE ${WORK}/broken.hpp "inline int broken() { return nothing; }\n")
file(WRITE ${WORK}/error.hpp "#include \"broken.hpp\"\n")

function(expect name content wanted)
  set(case ${WORK}/${name}.cpp)
  file(WRITE ${case} "${content}\n")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -DCOMPILER=${COMPILER} -DCASE=${case} -DROOT=${WORK}
            -P ${CMAKE_CURRENT_LIST_DIR}/run_case.cmake
    RESULT_VARIABLE code ERROR_VARIABLE text OUTPUT_QUIET)
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  if(wanted STREQUAL "" AND NOT code EQUAL 0)
    message(FATAL_ERROR "${name}: a good case was refused: ${text}")
  elseif(NOT wanted STREQUAL "" AND (code EQUAL 0 OR NOT text MATCHES "${wanted}"))
    message(FATAL_ERROR "${name}: expected '${wanted}', got: ${text}")
  endif()
endfunction()

set(ours "static_assert(sizeof(int) == 0, \"our sentence\");")
expect(good "// expect: our sentence\n${ours}" "")
expect(compiles "// expect: our sentence" "compiles, but must not")
expect(later "// expect: our sentence\nint f() { return nothing; }\n${ours}" "is not our sentence")
expect(stack "// expect: In file included\n#include \"error.hpp\"" "is not our sentence")
expect(silent "${ours}" "does not begin with")
