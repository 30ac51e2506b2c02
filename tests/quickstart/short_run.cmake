# A very short run of all rows, then the checks that need no trained model: what it leaves behind,
# that a used folder and bad options are refused, and that --resume finds everything done.
function(run expected_code pattern)
  execute_process(COMMAND ${PROGRAM} ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE text
                  ERROR_VARIABLE text)
  list(JOIN ARGN " " arguments)
  if(NOT code EQUAL expected_code)
    message(FATAL_ERROR "quickstart ${arguments}: exit status ${code}, not ${expected_code}:\n${text}")
  endif()
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "quickstart ${arguments}: no '${pattern}' in:\n${text}")
  endif()
endfunction()

file(REMOVE_RECURSE ${OUT})
set(short --warm-start-steps 20 --any-warm-start --steps 2 --eval-tasks 12)
run(0 "max .log ratio. between sampling and training: 0\n" ${short} --out ${OUT})
foreach(file result.json report.html tasks.jsonl held_out.jsonl ledger.csv metrics/dual.jsonl
             models/warm_start/answerer/model.safetensors
             models/frozen_summarizer/summarizer/model.safetensors)
  if(NOT EXISTS ${OUT}/${file})
    message(FATAL_ERROR "the run did not write ${file}")
  endif()
endforeach()
file(READ ${OUT}/result.json result)
foreach(name dual warm_start frozen_summarizer sliding_window no_limit)
  if(NOT result MATCHES "\"name\": \"${name}\"")
    message(FATAL_ERROR "result.json has no row ${name}:\n${result}")
  endif()
endforeach()

# The one that is good from the start takes a third of the pair's learning rate.
foreach(row "dual 0.00045" "frozen_summarizer 0.00045" "sliding_window 0.00045" "no_limit 0.00015")
  separate_arguments(row)
  list(GET row 0 name)
  list(GET row 1 rate)
  file(STRINGS ${OUT}/metrics/${name}.jsonl first LIMIT_COUNT 1)
  if(NOT first MATCHES "\"learning_rate\":${rate},")
    message(FATAL_ERROR "the first step of ${name} has not the learning rate ${rate}:\n${first}")
  endif()
endforeach()

# The report shows sampled tokens as trained, and no given ones; it shows every run's curves.
file(READ ${OUT}/report.html page)
foreach(provenance prompt observation injected summary action demonstration inherited)
  if(page MATCHES "\"provenance\":\"${provenance}\",\"agent\":\"[a-z]+\",\"trained\":true")
    message(FATAL_ERROR "report.html shows given tokens as trained: ${provenance}")
  endif()
endforeach()
if(NOT page MATCHES "\"provenance\":\"sampled\",\"agent\":\"[a-z]+\",\"trained\":true")
  message(FATAL_ERROR "report.html shows no trained token")
endif()
foreach(name dual frozen_summarizer sliding_window no_limit)
  if(NOT page MATCHES "\"name\":\"${name}\",\"group\":\"\",\"steps_per_point\":1,\"steps\":.0,1.,\"seconds\":.[0-9]")
    message(FATAL_ERROR "report.html shows no curves of ${name}")
  endif()
endforeach()

# Who watched the report learns that the run is over.
file(READ ${OUT}/report-data.js data)
if(NOT data MATCHES "^dualagentReport\\(.*\"finished\":true}\\);\n$")
  message(FATAL_ERROR "report-data.js does not end as finished")
endif()

# A warm start that cannot copy yet ends the run, before and after it is resumed.
set(unformed --warm-start-steps 20 --eval-tasks 12 --out ${OUT}/unformed)
foreach(again "" --resume)
  run(1 "has not formed: of .*warm_start_dual after 20 steps, seed 0.*--any-warm-start" ${unformed}
      ${again})
endforeach()
if(EXISTS ${OUT}/unformed/metrics/dual.jsonl OR EXISTS ${OUT}/unformed/result.json)
  message(FATAL_ERROR "reinforcement went on from a warm start that had not formed")
endif()

run(1 "holds an earlier run.*--resume" ${short} --out ${OUT})
file(SHA256 ${OUT}/models/dual/answerer/model.safetensors before)
run(0 "dual-agent, both trained" ${short} --out ${OUT} --resume)
file(SHA256 ${OUT}/models/dual/answerer/model.safetensors after)
if(NOT before STREQUAL after)
  message(FATAL_ERROR "a resumed run that had nothing left to do changed the weights")
endif()
run(1 "seed was 0 and is 1" ${short} --out ${OUT} --resume --seed 1)
run(1 "no option .--sed." --sed 1)
run(1 "not a whole number.*--steps" --steps many)
run(1 "no row .duel.*dual, warm_start" --only duel)
run(1 "belong together" --tasks x.jsonl)
run(0 "usage: bash examples/quickstart/run.sh" --help)

# A user's own files; every bad row is refused with file and line.
set(own ${OUT}/own)
file(WRITE ${own}/ledger.csv "task,page,amount,next\na,K,3,Q\na,Q,4,.\nb,Z,1,.\n")
file(WRITE ${own}/tasks.jsonl "{\"id\":\"a\",\"prompt\":\"sum:K+10?\",\"answer\":\"17\"}\n")
file(WRITE ${own}/held.jsonl "{\"id\":\"b\",\"prompt\":\"sum:Z+20?\",\"answer\":\"21\"}\n")
set(files --held-out ${own}/held.jsonl --ledger ${own}/ledger.csv --only dual
          --warm-start-steps 5 --any-warm-start --steps 1 --out ${own}/out)
run(0 "/1 " --tasks ${own}/tasks.jsonl ${files})
foreach(case
    "{\"id\":\"a\",\"prompt\":\"sum:K+10?\",\"answer\":\"18\"}|answer is .18. but the ledger adds up to 17"
    "{\"id\":\"a\",\"prompt\":\"sum:k+10?\",\"answer\":\"17\"}|is not understood"
    "{\"id\":\"a\",\"prompt\":\"sum:K+10?\"}|no .answer."
    "{\"id\":\"c\",\"prompt\":\"sum:K+10?\",\"answer\":\"17\"}|no page K for this task"
    "{\"id\":|not valid JSON")
  string(REPLACE "|" ";" parts "${case}")
  list(GET parts 0 row)
  list(GET parts 1 pattern)
  file(WRITE ${own}/bad.jsonl "\n${row}\n")
  run(1 "${pattern}.*bad.jsonl:2|bad.jsonl:2.*${pattern}" --tasks ${own}/bad.jsonl ${files}2)
endforeach()
foreach(row "a,KK,3,Q" "a,K,x,Q" "a,K,3" "a,K,3,QQ")
  file(WRITE ${own}/bad.csv "task,page,amount,next\n${row}\n")
  run(1 "bad.csv:2" --tasks ${own}/tasks.jsonl --held-out ${own}/held.jsonl
      --ledger ${own}/bad.csv --out ${own}/out3)
endforeach()
run(1 "also a training task.*tasks.jsonl:1" --tasks ${own}/tasks.jsonl --held-out ${own}/tasks.jsonl
    --ledger ${own}/ledger.csv --out ${own}/out4)
