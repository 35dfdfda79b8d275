/* What the files of pelton.compiled.core share. `reference` says what each type and function is for. */

#ifndef PELTON_CORE_H
#define PELTON_CORE_H

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030A0000 /* workers run on the Python of their model, 3.10 at the oldest */
#include <Python.h>
#include <stdint.h>
#include <structmember.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "frames are little-endian, and so must be this machine"
#endif

/* reference.Fields */
typedef struct {
    PyObject_HEAD
    unsigned long long id;
    double deadline, came_at, queued_at, started_at, done_at;
    PyObject *body, *content_type, *stage, *answer, *error, *lane, *on_done;
    PyObject *request_id, *desk, *connection, *head, *timer;
    Py_ssize_t bytes_in, received;
    char disconnected, is_complete, keep_alive, response_complete;
} Fields;

/* reference.Line */
typedef struct {
    PyObject_HEAD
    PyObject *queue;
    Py_ssize_t queued, queued_bytes, limit, room, room_bytes;
    double turn_at, drained_per_s, watched;
} Line;

/* What invocations share on the compiled way; see arrive.c and respond.c. */
typedef struct {
    PyObject_HEAD
    Line *line;
    PyObject *desk, *known, *next_id, *on_done, *lines, *record, *log;
    PyTypeObject *invocation;
    double timeout_s;
    Py_ssize_t max_bytes;
    unsigned long long seen;
} Way;

/* reference.Link, and of the last head that came on it: its bytes, and what they say. */
typedef struct {
    PyObject_HEAD
    PyObject *transport, *cycle, *keep_alive_task, *pipeline, *flow, *way;
    PyObject *known, *head, *content_type, *request_id;
    Py_ssize_t content_length;
    double idle_since;
    char is_between;
} Link;

/* The module's own objects; there is one interpreter. */
typedef struct {
    PyTypeObject *fields, *line, *link, *way, *account, *asker;
    PyObject *queued, *running, *done; /* members of Stage */
    PyTypeObject *answer;
    int answer_kind;
    PyObject *empty;
    PyObject *append, *popleft, *receive, *turn_at_name, *watch, *look, *is_closing, *write;
    PyObject *read_paused, *content_length, *content_type, *timeout, *request_id, *prefix, *unset_keep_alive;
    PyObject *expectation, *known, *rows, *sample, *send_in_pieces, *wire; /* of the load generator */
} Core;

extern Core core;

/* Call a method; the limited interface has no shorter way before Python 3.12. */
#define call0(self, name) PyObject_CallMethodObjArgs(self, name, NULL)
#define call1(self, name, value) PyObject_CallMethodObjArgs(self, name, value, NULL)

int add_types(PyObject *module);      /* fields.c */
int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **place);
int add_way(PyObject *module);        /* respond.c */
int add_load(PyObject *module);       /* load.c */
PyObject *link_data_received(PyObject *self, PyObject *data); /* arrive.c */
extern PyMethodDef batch_methods[];   /* batch.c */
extern PyMethodDef worker_methods[];  /* worker.c */

/* Put a new reference in place of an old one. */
static inline void put(PyObject **place, PyObject *value)
{
    PyObject *old = *place;
    *place = value;
    Py_XDECREF(old);
}

static inline int is_none(PyObject *value) { return value == NULL || value == Py_None; }

/* What the collector asks of a type: its objects visited, cleared, released. OBJECTS(self, visit) names them. */
#define COLLECTED(Type, prefix, OBJECTS)                                                       \
    static int prefix##_traverse(Type *self, visitproc visit, void *arg)                       \
    {                                                                                          \
        Py_VISIT(Py_TYPE((PyObject *)self));                                                   \
        OBJECTS(self, Py_VISIT);                                                               \
        return 0;                                                                              \
    }                                                                                          \
    static int prefix##_clear(Type *self)                                                      \
    {                                                                                          \
        OBJECTS(self, Py_CLEAR);                                                               \
        return 0;                                                                              \
    }                                                                                          \
    static void prefix##_dealloc(PyObject *self)                                               \
    {                                                                                          \
        PyTypeObject *type = Py_TYPE(self);                                                    \
        PyObject_GC_UnTrack(self);                                                             \
        prefix##_clear((Type *)self);                                                          \
        ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);                                    \
        Py_DECREF(type);                                                                       \
    }

/* Its slots for that. */
#define COLLECTED_SLOTS(prefix)                                                                \
    {Py_tp_traverse, prefix##_traverse}, {Py_tp_clear, prefix##_clear}, {Py_tp_dealloc, prefix##_dealloc}

/* A type of members alone. */
#define PLAIN_TYPE(Type, prefix)                                                               \
    static PyType_Slot prefix##_slots[] = {                                                    \
        {Py_tp_members, prefix##_members},                                                     \
        COLLECTED_SLOTS(prefix),                                                               \
        {Py_tp_doc, "As reference." #Type "."},                                                \
        {0, NULL},                                                                             \
    };                                                                                         \
    static PyType_Spec prefix##_spec = {                                                       \
        "pelton.compiled.core." #Type, sizeof(Type), 0,                                        \
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, prefix##_slots,         \
    };

/* Members of a type. */
#define OBJECT(type, name, field) {name, T_OBJECT, offsetof(type, field), 0, NULL}
#define DOUBLE(type, name, field) {name, T_DOUBLE, offsetof(type, field), 0, NULL}
#define COUNT(type, name, field) {name, T_PYSSIZET, offsetof(type, field), 0, NULL}
#define FLAG(type, name, field) {name, T_BOOL, offsetof(type, field), 0, NULL}

/* A frame's header; see pelton.channel.frames. */
#define HEADER_BYTES 16
#define LAST 1
#define MAX_PAYLOAD 0x7fffffffU

typedef struct {
    uint32_t payload;
    uint8_t kind, flags;
    uint16_t meta;
    uint64_t id;
} Header;

void write_header(char *out, const Header *header); /* batch.c */
Header read_header(const char *data);
PyObject *new_tuple(PyTypeObject *type, PyObject **items, Py_ssize_t many);

static inline int is_fields(PyObject *value) { return PyObject_TypeCheck(value, core.fields); }

#endif
