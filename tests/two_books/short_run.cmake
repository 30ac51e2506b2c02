# A very short run of the two books: what it leaves behind, and that --resume finds it all done.
file(REMOVE_RECURSE ${OUT})
foreach(more "" --resume)
  execute_process(
    COMMAND ${PROGRAM} --warm-start-steps 20 --any-warm-start --steps 2 --eval-tasks 12
            --out ${OUT} ${more}
    RESULT_VARIABLE code OUTPUT_VARIABLE text ERROR_VARIABLE errors)
  if(NOT code EQUAL 0 OR NOT text MATCHES "max .log ratio. between sampling and training: 0\n")
    message(FATAL_ERROR "two_books ${more}: exit status ${code}:\n${text}\n${errors}")
  endif()
  file(READ ${OUT}/result.json result)
  foreach(row warm_start all final)
    if(NOT result MATCHES "\"name\": \"${row}\"")
      message(FATAL_ERROR "no row ${row} in:\n${result}")
    endif()
  endforeach()
endforeach()
execute_process(COMMAND ${PROGRAM} --only dual RESULT_VARIABLE code ERROR_VARIABLE errors)
if(NOT code EQUAL 1 OR NOT errors MATCHES "cannot be chosen here")
  message(FATAL_ERROR "--only was not refused: ${code} ${errors}")
endif()
execute_process(COMMAND ${PROGRAM} --warm-start-steps 20 --out ${OUT}/unformed
                RESULT_VARIABLE code ERROR_VARIABLE errors)
if(NOT code EQUAL 1 OR NOT errors MATCHES "has not formed.*--any-warm-start")
  message(FATAL_ERROR "a warm start that cannot copy was not refused: ${code} ${errors}")
endif()
