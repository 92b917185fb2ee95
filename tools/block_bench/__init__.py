# SPDX-License-Identifier: Apache-2.0
"""The block benchmark: what tools/bench-block measures, and how. docs/performance.md tells the method and the figures."""
