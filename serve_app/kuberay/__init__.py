"""The same application on several machines, under KubeRay's operator on Kubernetes."""
