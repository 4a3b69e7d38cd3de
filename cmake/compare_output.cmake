# cmake -D PROGRAM=... -D EXPECTED=... -D ACTUAL=... -P compare_output.cmake: what PROGRAM prints must be EXPECTED's content.
execute_process(COMMAND "${PROGRAM}" OUTPUT_FILE "${ACTUAL}" ERROR_VARIABLE errors RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "${PROGRAM} ended with status ${status}\n${errors}")
endif()
execute_process(COMMAND diff -u "${EXPECTED}" "${ACTUAL}" OUTPUT_VARIABLE difference ERROR_VARIABLE errors
  RESULT_VARIABLE status)
if(NOT status EQUAL 0)
  message(FATAL_ERROR "The output differs from ${EXPECTED}:\n${difference}${errors}")
endif()
