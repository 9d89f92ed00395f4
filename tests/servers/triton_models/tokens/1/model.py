# SPDX-License-Identifier: Apache-2.0
"""Triton loads this by its path; the classes are those that its Python backend asks for."""
import time

import numpy
import triton_python_backend_utils as triton  # pylint: disable=import-error

TOKENS = 8
STEP_S = 0.005


def _value(request, name, default):
    tensor = triton.get_input_tensor_by_name(request, name)
    return default if tensor is None else tensor.as_numpy().flat[0]


class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            for i in range(int(_value(request, "max_tokens", TOKENS))):
                if request.is_cancelled():
                    break
                time.sleep(STEP_S)
                text = numpy.array([f"word{i} ".encode()], dtype=object)
                sender.send(triton.InferenceResponse([triton.Tensor("text_output", text)]))
            sender.send(flags=triton.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
