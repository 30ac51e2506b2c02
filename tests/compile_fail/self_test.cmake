# cmake "-DCOMPILERS=g++|clang++" -DWORK=FOLDER -P self_test.cmake
# The harness must refuse a case that compiles, one that fails with another sentence, one without an
# expectation, and one that only the include stack would match; it must accept a good one. Compiled
# together, each case must get its own first error, and where a header itself fails, none.

# WANTED matches the refusal; it is empty for a good case. ARGN: more options of run_case.cmake.
function(expect folder name content wanted)
  set(case ${folder}/${name}.cpp)
  file(WRITE ${case} "${content}\n")
  execute_process(
    COMMAND ${CMAKE_COMMAND} -DCOMPILER=${compiler} -DCASE=${case} -DROOT=${WORK} ${ARGN}
            -P ${CMAKE_CURRENT_LIST_DIR}/run_case.cmake
    RESULT_VARIABLE code ERROR_VARIABLE text OUTPUT_QUIET)
  string(REGEX REPLACE "[ \n]+" " " text "${text}")
  if(wanted STREQUAL "" AND NOT code EQUAL 0)
    message(FATAL_ERROR "${name}: a good case was refused: ${text}")
  elseif(NOT wanted STREQUAL "" AND (code EQUAL 0 OR NOT text MATCHES "${wanted}"))
    message(FATAL_ERROR "${name}: expected '${wanted}', got: ${text}")
  endif()
endfunction()

function(expect_together folder wanted)  # WANTED: all of what compile_all.cmake finds, as a regex
  execute_process(
    COMMAND ${CMAKE_COMMAND} -DCOMPILER=${compiler} -DCASES=${folder} -DROOT=${WORK} -DFOUND=${folder}.found
            -P ${CMAKE_CURRENT_LIST_DIR}/compile_all.cmake
    COMMAND_ERROR_IS_FATAL ANY)
  file(READ ${folder}.found found)
  if(NOT found MATCHES "^${wanted}$")
    message(FATAL_ERROR "together: expected '${wanted}', got: ${found}")
  endif()
endfunction()

string(REPLACE "|" ";" compilers "${COMPILERS}")
foreach(compiler IN LISTS compilers)
  if(NOT compiler)
    continue()
  endif()
  file(REMOVE_RECURSE ${WORK})
  file(WRITE ${WORK}/broken.hpp "inline int broken() { return nothing; }\n")
  file(WRITE ${WORK}/error.hpp "#include \"broken.hpp\"\n")
  file(WRITE ${WORK}/include/need.hpp
       "#pragma once
template <class T> struct Second { static_assert(sizeof(T) == 0, \"the second sentence\"); };
template <class T> struct Need { static_assert(sizeof(T) == 0, \"our sentence\"); Second<T> second; };
template <class T> void use(T) { Need<T> need; }\n")

  set(ours "static_assert(sizeof(int) == 0, \"our sentence\");")
  set(compiles "// expect: our sentence\nint main() {}")
  set(need "#include \"need.hpp\"\nstruct Mine {};\nint main() { use(Mine{}); }")
  expect(${WORK}/good good "// expect: our sentence\n${ours}" "")
  expect(${WORK}/good good_in_header "// expect: our sentence\n${need}" "")
  expect(${WORK}/good compiles "${compiles}" "compiles, but must not")
  expect(${WORK}/good later "// expect: our sentence\nint f() { return nothing; }\n${ours}" "is not our sentence")
  expect(${WORK}/good other "// expect: the second sentence\n${need}" "is not our sentence")
  expect(${WORK}/good silent "${ours}" "does not begin with")
  set(line "[^\n]*error: [^\n]*")
  set(good_in_header "good_in_header\t${line}our sentence[^\n]*\n")
  set(other "other\t${line}our sentence[^\n]*\n")
  # Errors of a function's template come at the end.
  expect_together(${WORK}/good "good\t${line}our sentence[^\n]*\n\
later\t${line}nothing[^\n]*\nsilent\t${line}our sentence[^\n]*\n${good_in_header}${other}")
  set(found -DFOUND=${WORK}/good.found)
  expect(${WORK}/good good_in_header "// expect: our sentence\n${need}" "" ${found} -DCOMPILER=false)
  expect(${WORK}/good compiles "${compiles}" "compiles, but must not" ${found})

  expect(${WORK}/stack good "// expect: our sentence\n${ours}" "")
  expect(${WORK}/stack stack "// expect: In file included\n#include \"${WORK}/error.hpp\"" "is not our sentence")
  expect_together(${WORK}/stack "")
endforeach()
