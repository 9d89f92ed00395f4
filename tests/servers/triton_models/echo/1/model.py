# SPDX-License-Identifier: Apache-2.0
"""Triton loads this by its path; the class is the one that its Python backend asks for."""
import time

import triton_python_backend_utils as triton  # pylint: disable=import-error

STEP_S = 0.01


class TritonPythonModel:
    def execute(self, requests):
        time.sleep(STEP_S)
        inputs = [triton.get_input_tensor_by_name(request, "text_input").as_numpy() for request in requests]
        return [triton.InferenceResponse([triton.Tensor("text_output", text)]) for text in inputs]
