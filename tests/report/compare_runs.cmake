# The program compare_runs makes one page of two folders, and names a folder that holds no run.
file(REMOVE_RECURSE ${WORK})
foreach(run first second)
  file(WRITE ${WORK}/${run}/metrics/dual.jsonl
       "{\"step\":0,\"loss\":1.5,\"learning_rate\":0.0001}\n{\"step\":1,\"loss\":0.5}\n")
endforeach()
file(MAKE_DIRECTORY ${WORK}/empty)
execute_process(COMMAND ${PROGRAM} --out ${WORK}/report.html ${WORK}/first ${WORK}/second/
                RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "compare_runs failed:\n${text}")
endif()
file(READ ${WORK}/report.html page)
foreach(run first second)
  if(NOT page MATCHES "\"name\":\"${run}\",\"group\":\"\",\"steps_per_point\":1,\"steps\":.0,1.")
    message(FATAL_ERROR "the page does not show the run ${run}")
  endif()
endforeach()
execute_process(COMMAND ${PROGRAM} --out ${WORK}/none.html ${WORK}/first ${WORK}/empty
                RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE text)
if(code EQUAL 0 OR NOT text MATCHES "no run in this folder.*empty" OR EXISTS ${WORK}/none.html)
  message(FATAL_ERROR "a folder without a run was not refused: ${text}")
endif()
