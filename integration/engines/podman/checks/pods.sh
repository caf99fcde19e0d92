# Pods and Kubernetes' YAML: containers that share namespaces.
# shellcheck shell=bash

check_containers_of_a_pod_share_their_network() {
    make_pod shared
    podman run --rm --pod shared "$IMAGE" readlink /proc/self/ns/net
    gives 0
    local first=$out
    podman run --rm --pod shared "$IMAGE" readlink /proc/self/ns/net
    prints_only "$first"
    podman run --rm --pod shared "$IMAGE" hostname
    prints_only shared
}

check_a_pod_as_a_whole() {
    make_pod whole
    podman create --pod whole --name one "$IMAGE" sleep 1000
    podman pod start whole
    gives 0
    podman pod inspect --format '{{.State}}' whole
    prints_only Running
    podman pod pause whole
    gives 0
    podman pod unpause whole
    gives 0
    podman pod stop --time 0 whole
    gives 0
    podman pod rm --force whole
    gives 0
}

check_kubernetes_yaml() {
    cat >"$place/pod.yaml" <<END
apiVersion: v1
kind: Pod
metadata:
  name: played
spec:
  hostNetwork: true
  restartPolicy: Never
  containers:
  - name: worker
    image: $IMAGE
    command: ["/bin/sh", "-c", "id -u; cat /data/file; sleep 1000"]
    securityContext:
      runAsUser: 1000
      allowPrivilegeEscalation: false
      capabilities: {drop: [all]}
      readOnlyRootFilesystem: true
    resources: {limits: {memory: 64Mi}}
    volumeMounts: [{name: data, mountPath: /data, readOnly: true}]
  volumes:
  - name: data
    hostPath: {path: $place/played, type: Directory}
END
    mkdir -p "$place/played"
    echo played >"$place/played/file"
    podman play kube "$place/pod.yaml"
    gives 0
    until_true logs_say played-worker played
    podman exec played-worker /bin/grep -E 'NoNewPrivs|CapBnd' /proc/self/status
    gives 0
    prints_like 'CapBnd:.0000000000000000.*NoNewPrivs:.1'
    podman play kube --down "$place/pod.yaml"
    gives 0
}

# A pod, whose first container runs busybox in place of podman's own pause image.
make_pod() {
    podman pod create --name "$1" --cgroup-parent "/$cgroup_parent" --network none \
        --infra-image "$IMAGE" --infra-command 'sleep 1000'
    gives 0
}
