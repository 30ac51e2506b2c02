# Compiles all cases of a folder at once, so that their headers are read once, each in a namespace of
# its own, and writes to FOUND the first error of each, for run_case.cmake.
# cmake -DCOMPILER=g++ -DCASES=FOLDER -DROOT=PROJECT -DFOUND=FILE [-DJSON=INCLUDE_DIRS] -P compile_all.cmake
include(${CMAKE_CURRENT_LIST_DIR}/compiler.cmake)
file(GLOB cases ${CASES}/*.cpp)
set(headers "")
set(bodies "")
foreach(case IN LISTS cases)
  file(STRINGS ${case} case_headers REGEX "^#include")
  list(APPEND headers ${case_headers})
  get_filename_component(name ${case} NAME_WE)
  string(APPEND bodies "namespace ${name} {\n#include \"${case}\"\n}\n")
endforeach()
list(REMOVE_DUPLICATES headers)
list(JOIN headers "\n" headers)
file(WRITE ${FOUND}.cpp "${headers}\n${bodies}")
if(COMPILER MATCHES "clang")
  set(all_errors -ferror-limit=0)
  set(named after)
else()
  set(all_errors -fmax-errors=0)
  set(named before)
endif()
execute_process(COMMAND ${compile} -w ${all_errors} -ftemplate-backtrace-limit=0 ${FOUND}.cpp
                ERROR_FILE ${FOUND}.log OUTPUT_QUIET)
execute_process(COMMAND awk -v CASES=${CASES} -v NAMED=${named}
                        -f ${CMAKE_CURRENT_LIST_DIR}/first_errors.awk ${FOUND}.log
                OUTPUT_FILE ${FOUND} COMMAND_ERROR_IS_FATAL ANY)
