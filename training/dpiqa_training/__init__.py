"""Training and evaluation of the metrics in ``dpiqa_plugin``; the package never imports this one."""
