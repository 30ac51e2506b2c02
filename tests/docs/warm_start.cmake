# Makes the quickstart's warm start in OUT with OPTIONS, or takes it out of the folder of a whole quickstart that the
# environment names: DUALAGENT_QUICKSTART_OUT.
set(given "$ENV{DUALAGENT_QUICKSTART_OUT}")
if(given)
  foreach(part tasks.jsonl held_out.jsonl ledger.csv models/warm_start)
    if(NOT EXISTS ${given}/${part})
      message(FATAL_ERROR "DUALAGENT_QUICKSTART_OUT is ${given}, which has no ${part}: name the folder of a quickstart "
                          "that has ended, or unset it")
    endif()
    get_filename_component(folder ${OUT}/${part} DIRECTORY)
    file(COPY ${given}/${part} DESTINATION ${folder})
  endforeach()
  return()
endif()
execute_process(COMMAND ${PROGRAM} ${OPTIONS} --only warm_start --out ${OUT} COMMAND_ERROR_IS_FATAL ANY)
