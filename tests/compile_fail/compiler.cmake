# Sets `compile`, the command that reads a case with COMPILER.
if(JSON)
  list(TRANSFORM JSON PREPEND -I)  # -isystem/usr/include would hide the C headers of libstdc++
endif()
set(ENV{LC_ALL} C)  # messages are translated otherwise
set(compile ${COMPILER} -std=c++20 -fsyntax-only -I${ROOT}/include -I${ROOT}/kernels_inl -I${ROOT}/tests ${JSON})
