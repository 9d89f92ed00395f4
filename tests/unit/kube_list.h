/* SPDX-License-Identifier: Apache-2.0 */
/* Pods in the shape in which an API server lists them (core/v1 PodList), cut to what matters. */
#ifndef TESTS_KUBE_LIST_H
#define TESTS_KUBE_LIST_H

#define A16 "aaaaaaaaaaaaaaaa"
#define B16 "bbbbbbbbbbbbbbbb"
#define C16 "cccccccccccccccc"
#define D16 "dddddddddddddddd"

/* Container ids. */
#define SERVER_ID      A16 A16 A16 A16
#define SIDECAR_ID     A16 A16 A16 B16
#define INIT_ID	       A16 A16 A16 C16
#define DEBUG_ID       A16 A16 A16 D16
#define STATIC_ID      B16 B16 B16 B16
#define JOB_ID	       C16 C16 C16 C16

#define DEPLOYMENT_UID "0a1b2c3d-1111-2222-3333-444455556666"
#define STATIC_UID     "0a1b2c3d-9999-2222-3333-444455556666"
#define STATIC_HASH    "0123456789abcdef0123456789abcdef"

#define PODS(items, token)                                          \
	"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":" \
	"{\"resourceVersion\":\"812\",\"continue\":\"" token "\"},\"items\":[" items "]}"

#define STATUS(name, id) "{\"name\":\"" name "\",\"containerID\":\"" id "\",\"ready\":true}"

/* More of the metadata; what the status has. */
#define POD(name, more, statuses)                                                            \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"prod\"" more "},\"spec\":"     \
	"{\"nodeName\":\"node-7\",\"containers\":[{\"name\":\"x\"}]},\"status\":{\"phase\":" \
	"\"Running\"" statuses "}}"

#define OWNER(kind, name)                                                               \
	",\"ownerReferences\":[{\"kind\":\"Secret\",\"name\":\"no\"},{\"kind\":\"" kind \
	"\",\"name\":\"" name "\",\"controller\":true}]"

#define DEPLOYMENT_POD                                                                                                 \
	POD("llama-7d9c6b5f4-x2x4q",                                                                                   \
	    ",\"uid\":\"" DEPLOYMENT_UID "\",\"labels\":{\"pod-template-hash\":"                                       \
	    "\"7d9c6b5f4\"}" OWNER("ReplicaSet", "llama-7d9c6b5f4"),                                                   \
	    ",\"containerStatuses\":[" STATUS("server", "containerd://" SERVER_ID) "," STATUS(                         \
		    "sidecar",                                                                                         \
		    "containerd://" SIDECAR_ID) ",{\"name\":\"waiting\"}],"                                            \
						"\"initContainerStatuses\":[" STATUS(                                  \
							"fetch",                                                       \
							"cri-o://" INIT_ID) "],"                                       \
									    "\"ephemeralContainerStatuses\":[" STATUS( \
										    "debug",                           \
										    "docker://" DEBUG_ID) "]")

/* Its uid in the API is not the one in its cgroup's path. */
#define STATIC_POD                                                                        \
	POD("triton-node-7",                                                              \
	    ",\"uid\":\"" STATIC_UID "\",\"annotations\":{\"kubernetes.io/config.hash\":" \
	    "\"" STATIC_HASH "\",\"kubernetes.io/config.mirror\":\"" STATIC_HASH          \
	    "\"}" OWNER("Node", "node-7"),                                                \
	    ",\"containerStatuses\":[" STATUS("triton", "containerd://" STATIC_ID) "]")

#endif
