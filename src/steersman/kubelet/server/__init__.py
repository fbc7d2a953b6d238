"""The kubelet's own HTTPS server: logs, exec, attach, port-forward, health, and the pods it runs."""
