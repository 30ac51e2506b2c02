# cmake -DCOMPILER=g++ -DCASE=x.cpp -DROOT=PROJECT [-DJSON=INCLUDE_DIRS] -P run_case.cmake
file(STRINGS ${CASE} first_line LIMIT_COUNT 1)
string(REGEX REPLACE "^// expect: (.*)$" "\\1" expected "${first_line}")
if(expected STREQUAL first_line)
  message(FATAL_ERROR "${CASE} does not begin with '// expect: REGEX'")
endif()
if(JSON)
  list(TRANSFORM JSON PREPEND -I)  # -isystem/usr/include would hide the C headers of libstdc++
endif()
set(ENV{LC_ALL} C)  # messages are translated otherwise
execute_process(
  COMMAND ${COMPILER} -std=c++20 -fsyntax-only -I${ROOT}/include -I${ROOT}/kernels_inl -I${ROOT}/tests ${JSON} ${CASE}
  RESULT_VARIABLE code ERROR_VARIABLE text OUTPUT_QUIET)
if(code EQUAL 0)
  message(FATAL_ERROR "${CASE} compiles, but must not")
endif()
# "error:", since the include stack may name core/error.hpp.
string(REGEX MATCH "[^\n]*error: [^\n]*" first_error "${text}")
if(NOT first_error MATCHES "${expected}")
  message(FATAL_ERROR "the first error of ${CASE} is not our sentence:\n${text}")
endif()
