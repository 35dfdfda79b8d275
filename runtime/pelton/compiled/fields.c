/* The types whose fields both C and Python read and write: Fields, Line, Link. */

#include <stdio.h>

#include "core.h"

#define FIELDS_OBJECTS(self, visit)                                                            \
    visit((self)->body); visit((self)->content_type); visit((self)->stage);                    \
    visit((self)->answer); visit((self)->error); visit((self)->lane); visit((self)->on_done);  \
    visit((self)->request_id); visit((self)->desk); visit((self)->connection);                 \
    visit((self)->head); visit((self)->timer)

COLLECTED(Fields, fields, FIELDS_OBJECTS)

/* A caller that brings no id of its own gets one, which is made when it is asked for. */
static PyObject *fields_request_id(Fields *self, void *Py_UNUSED(closure))
{
    if (self->request_id == NULL && !is_none(self->desk)) {
        PyObject *prefix = PyObject_GetAttr(self->desk, core.prefix);
        if (prefix == NULL)
            return NULL;
        char hex[24]; /* Python 3.11 formats no %llx */
        snprintf(hex, sizeof hex, "%llx", self->id);
        self->request_id = PyUnicode_FromFormat("%U-%s", prefix, hex);
        Py_DECREF(prefix);
        if (self->request_id == NULL)
            return NULL;
    }
    PyObject *value = self->request_id == NULL ? Py_None : self->request_id;
    Py_INCREF(value);
    return value;
}

static int fields_set_request_id(Fields *self, PyObject *value, void *Py_UNUSED(closure))
{
    Py_XINCREF(value);
    put(&self->request_id, value);
    return 0;
}

static PyMemberDef fields_members[] = {
    {"id", T_ULONGLONG, offsetof(Fields, id), 0, NULL},
    DOUBLE(Fields, "deadline", deadline),
    DOUBLE(Fields, "came_at", came_at),
    DOUBLE(Fields, "queued_at", queued_at),
    DOUBLE(Fields, "started_at", started_at),
    DOUBLE(Fields, "done_at", done_at),
    OBJECT(Fields, "body", body),
    OBJECT(Fields, "content_type", content_type),
    OBJECT(Fields, "stage", stage),
    OBJECT(Fields, "answer", answer),
    OBJECT(Fields, "error", error),
    OBJECT(Fields, "lane", lane),
    OBJECT(Fields, "on_done", on_done),
    OBJECT(Fields, "desk", desk),
    OBJECT(Fields, "connection", connection),
    OBJECT(Fields, "head", head),
    OBJECT(Fields, "timer", timer),
    COUNT(Fields, "bytes_in", bytes_in),
    COUNT(Fields, "received", received),
    FLAG(Fields, "disconnected", disconnected),
    FLAG(Fields, "is_complete", is_complete),
    FLAG(Fields, "keep_alive", keep_alive),
    FLAG(Fields, "response_complete", response_complete),
    {NULL, 0, 0, 0, NULL},
};

static PyGetSetDef fields_computed[] = {
    {"request_id", (getter)fields_request_id, (setter)fields_set_request_id, NULL, NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot fields_slots[] = {
    {Py_tp_members, fields_members},
    {Py_tp_getset, fields_computed},
    COLLECTED_SLOTS(fields),
    {Py_tp_doc, "As reference.Fields."},
    {0, NULL},
};

static PyType_Spec fields_spec = {
    "pelton.compiled.core.Fields", sizeof(Fields), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, fields_slots,
};

#define LINE_OBJECTS(self, visit) visit((self)->queue)
COLLECTED(Line, line, LINE_OBJECTS)

static PyMemberDef line_members[] = {
    OBJECT(Line, "_queue", queue),
    COUNT(Line, "_queued", queued),
    COUNT(Line, "_queued_bytes", queued_bytes),
    COUNT(Line, "_limit", limit),
    COUNT(Line, "_room", room),
    COUNT(Line, "_room_bytes", room_bytes),
    DOUBLE(Line, "_turn_at", turn_at),
    DOUBLE(Line, "_drained_per_s", drained_per_s),
    DOUBLE(Line, "watched", watched),
    {NULL, 0, 0, 0, NULL},
};

PLAIN_TYPE(Line, line)

#define LINK_OBJECTS(self, visit)                                                              \
    visit((self)->transport); visit((self)->cycle); visit((self)->keep_alive_task);            \
    visit((self)->pipeline); visit((self)->flow); visit((self)->way); visit((self)->known);    \
    visit((self)->head); visit((self)->content_type); visit((self)->request_id)

static PyObject *link_new(PyTypeObject *type, PyObject *Py_UNUSED(args), PyObject *Py_UNUSED(named))
{
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Link *self = (Link *)allocate(type, 0);
    if (self != NULL)
        self->is_between = 1;
    return (PyObject *)self;
}

COLLECTED(Link, link, LINK_OBJECTS)

static PyMemberDef link_members[] = {
    OBJECT(Link, "transport", transport),
    OBJECT(Link, "cycle", cycle),
    OBJECT(Link, "timeout_keep_alive_task", keep_alive_task),
    OBJECT(Link, "pipeline", pipeline),
    OBJECT(Link, "flow", flow),
    OBJECT(Link, "way", way),
    DOUBLE(Link, "_idle_since", idle_since),
    FLAG(Link, "_is_between", is_between),
    {NULL, 0, 0, 0, NULL},
};

static PyMethodDef link_methods[] = {
    {"data_received", link_data_received, METH_O, "As reference.Link.data_received."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot link_slots[] = {
    {Py_tp_new, link_new},
    {Py_tp_members, link_members},
    {Py_tp_methods, link_methods},
    COLLECTED_SLOTS(link),
    {Py_tp_doc, "As reference.Link."},
    {0, NULL},
};

static PyType_Spec link_spec = {
    "pelton.compiled.core.Link", sizeof(Link), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, link_slots,
};

int add_type(PyObject *module, PyType_Spec *spec, PyTypeObject **place)
{
    *place = (PyTypeObject *)PyType_FromSpec(spec);
    return *place == NULL ? -1 : PyModule_AddType(module, *place);
}

int add_types(PyObject *module)
{
    if (add_type(module, &fields_spec, &core.fields) < 0 || add_type(module, &line_spec, &core.line) < 0)
        return -1;
    return add_type(module, &link_spec, &core.link);
}
