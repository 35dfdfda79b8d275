/* A request's way out where nothing about it is unusual: the answer is small and whole, and goes to a
connection that stays. Everything else goes to Python. Also the type Way, which both ways use. */

#include <stdio.h>
#include <string.h>

#include "core.h"

#define MAX_ANSWER 65536 /* uvicorn's HIGH_WATER_LIMIT */

/* Answers that have one head but for length and id. */
typedef struct {
    PyObject *about, *before, *after;
    double came_at, queued_at, started_at;
    Py_ssize_t many;
} Group;

static int close_group(Way *self, Group *group, double now)
{
    if (group->many == 0)
        return 0;
    PyObject *done = PyObject_CallFunction(self->record, "dOddn", now, group->about, group->started_at - group->queued_at,
                                           now - group->came_at, group->many);
    group->many = 0;
    Py_XDECREF(done);
    return done == NULL ? -1 : 0;
}

static void leave_group(Group *group)
{
    Py_CLEAR(group->about);
    Py_CLEAR(group->before);
    Py_CLEAR(group->after);
}

/* Have the group be the entry's. */
static int enter_group(Way *self, Group *group, Fields *entry, PyObject *about, double now)
{
    if (group->about == about && group->came_at == entry->came_at && group->queued_at == entry->queued_at
        && group->started_at == entry->started_at)
        return 0;
    if (close_group(self, group, now) < 0)
        return -1;
    leave_group(group);
    PyObject *lines = PyObject_CallFunction(self->lines, "Odd", about, entry->started_at - entry->queued_at,
                                            now - entry->came_at);
    if (lines == NULL)
        return -1;
    if (!PyArg_ParseTuple(lines, "SS", &group->before, &group->after)) {
        group->before = group->after = NULL;
        Py_DECREF(lines);
        return -1;
    }
    Py_INCREF(group->before);
    Py_INCREF(group->after);
    Py_DECREF(lines);
    Py_INCREF(about);
    group->about = about;
    group->came_at = entry->came_at;
    group->queued_at = entry->queued_at;
    group->started_at = entry->started_at;
    return 0;
}

static char *append(char *out, const char *text, Py_ssize_t size)
{
    memcpy(out, text, (size_t)size);
    return out + size;
}

static PyObject *compose(Group *group, Fields *entry, PyObject *body)
{
    PyObject *request_id = PyObject_GetAttr((PyObject *)entry, core.request_id);
    if (request_id == NULL)
        return NULL;
    Py_ssize_t id_bytes = 0, bytes = PyBytes_Size(body);
    const char *id = PyUnicode_AsUTF8AndSize(request_id, &id_bytes); /* ASCII: checked at the edge */
    if (id == NULL) {
        Py_DECREF(request_id);
        return NULL;
    }
    char length[64];
    int length_bytes = snprintf(length, sizeof length, "%zd\r\nx-request-id: ", bytes);
    Py_ssize_t before = PyBytes_Size(group->before), after = PyBytes_Size(group->after);
    PyObject *all = PyBytes_FromStringAndSize(NULL, before + length_bytes + id_bytes + after + bytes);
    if (all != NULL) {
        char *out = PyBytes_AsString(all);
        out = append(out, PyBytes_AsString(group->before), before);
        out = append(out, length, length_bytes);
        out = append(out, id, id_bytes);
        out = append(out, PyBytes_AsString(group->after), after);
        append(out, PyBytes_AsString(body), bytes);
    }
    Py_DECREF(request_id);
    return all;
}

static int is_true(PyObject *self, PyObject *name, int is_method)
{
    PyObject *value = is_method ? call0(self, name) : PyObject_GetAttr(self, name);
    int truth = value == NULL ? -1 : PyObject_IsTrue(value);
    Py_XDECREF(value);
    return truth;
}

/* Whether the answer goes out the usual way; -1 on failure. */
static int is_usual(Way *self, Fields *entry, PyObject *answer)
{
    if (Py_TYPE((PyObject *)entry) != self->invocation || answer == Py_None || entry->stage != core.running
        || entry->disconnected || !entry->is_complete || !entry->keep_alive || entry->response_complete
        || !is_none(entry->timer) || is_none(entry->on_done) || entry->connection == NULL
        || !PyObject_TypeCheck(entry->connection, core.link))
        return 0;
    PyObject *body = PyTuple_GetItem(answer, 1);
    if (body == NULL)
        return -1;
    if (!PyBytes_CheckExact(body) || PyBytes_Size(body) > MAX_ANSWER)
        return 0;
    Link *link = (Link *)entry->connection;
    if (is_none(link->transport) || is_none(link->flow) || is_none(link->pipeline))
        return 0;
    Py_ssize_t waiting = PyObject_Size(link->pipeline);
    if (waiting != 0)
        return waiting < 0 ? -1 : 0;
    int is_closing = is_true(link->transport, core.is_closing, 1);
    if (is_closing != 0)
        return is_closing < 0 ? -1 : 0;
    int is_paused = is_true(link->flow, core.read_paused, 0);
    return is_paused == 0 ? 1 : is_paused < 0 ? -1 : 0;
}

static int write_answer(Way *self, Group *group, Fields *entry, PyObject *body, double now, double idle_at)
{
    PyObject *all = compose(group, entry, body);
    if (all == NULL)
        return -1;
    Link *link = (Link *)entry->connection;
    Py_INCREF(core.done);
    put(&entry->stage, core.done);
    put(&entry->on_done, NULL);
    put(&entry->error, NULL);
    Py_INCREF(core.empty);
    put(&entry->body, core.empty);
    entry->done_at = now;
    entry->response_complete = 1;
    group->many++;
    PyObject *written = call1(link->transport, core.write, all);
    Py_DECREF(all);
    Py_XDECREF(written);
    if (written == NULL)
        return -1;
    link->idle_since = idle_at;
    if (is_none(self->log))
        return 0;
    PyObject *logged = PyObject_CallFunction(self->log, "OOn", entry, group->about, PyBytes_Size(body));
    Py_XDECREF(logged);
    return logged == NULL ? -1 : 0;
}

/* respond(ended, now, idle_at): write the usual answers of ended, (entry, answer) each, and return the rest.
   As Dispatcher.end and Exchange._done do it for one; `now` on the clock, `idle_at` on the loop's. */
static PyObject *way_respond(Way *self, PyObject *args)
{
    PyObject *ended;
    double now, idle_at;
    if (!PyArg_ParseTuple(args, "O!dd:respond", &PyList_Type, &ended, &now, &idle_at))
        return NULL;
    PyObject *rest = PyList_New(0);
    if (rest == NULL)
        return NULL;
    Group group = {NULL, NULL, NULL, 0.0, 0.0, 0.0, 0};
    for (Py_ssize_t i = 0; i < PyList_Size(ended); i++) {
        PyObject *pair = PyList_GetItem(ended, i), *object, *answer;
        Py_INCREF(pair);
        int failed = !PyArg_ParseTuple(pair, "OO", &object, &answer), usual = 0;
        if (!failed && is_fields(object)) {
            usual = is_usual(self, (Fields *)object, answer);
            failed = usual < 0;
        }
        if (!failed && !usual)
            failed = PyList_Append(rest, pair) < 0;
        if (!failed && usual)
            failed = enter_group(self, &group, (Fields *)object, PyTuple_GetItem(answer, 0), now) < 0
                || write_answer(self, &group, (Fields *)object, PyTuple_GetItem(answer, 1), now, idle_at) < 0;
        Py_DECREF(pair);
        if (failed)
            goto failed;
    }
    if (close_group(self, &group, now) < 0)
        goto failed;
    leave_group(&group);
    return rest;
failed:
    leave_group(&group);
    Py_DECREF(rest);
    return NULL;
}

static int way_init(Way *self, PyObject *args, PyObject *Py_UNUSED(named))
{
    PyObject *line, *desk, *known, *next_id, *on_done, *lines, *record, *log, *invocation;
    double timeout_s;
    Py_ssize_t max_bytes;
    if (!PyArg_ParseTuple(args, "O!OO!OOOOOO!dn:Way", core.line, &line, &desk, &PyDict_Type, &known, &next_id,
                          &on_done, &lines, &record, &log, &PyType_Type, &invocation, &timeout_s, &max_bytes))
        return -1;
    if (!PyType_IsSubtype((PyTypeObject *)invocation, core.fields)) {
        PyErr_SetString(PyExc_TypeError, "invocations must have the fields of Fields");
        return -1;
    }
    PyObject *given[] = {line, desk, known, next_id, on_done, lines, record, log, invocation};
    PyObject **places[] = {(PyObject **)&self->line, &self->desk, &self->known, &self->next_id, &self->on_done,
                           &self->lines, &self->record, &self->log, (PyObject **)&self->invocation};
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        Py_INCREF(given[i]);
        put(places[i], given[i]);
    }
    self->timeout_s = timeout_s;
    self->max_bytes = max_bytes;
    return 0;
}

#define WAY_OBJECTS(self, visit)                                                               \
    visit((self)->line); visit((self)->desk); visit((self)->known); visit((self)->next_id);    \
    visit((self)->on_done); visit((self)->lines); visit((self)->record); visit((self)->log);        \
    visit((self)->invocation)

COLLECTED(Way, way, WAY_OBJECTS)

static PyMethodDef way_methods[] = {
    {"respond", (PyCFunction)(void (*)(void))way_respond, METH_VARARGS, "respond(ended, now, idle_at): write the usual answers and return the rest."},
    {NULL, NULL, 0, NULL},
};

static PyMemberDef way_members[] = {
    {"seen", T_ULONGLONG, offsetof(Way, seen), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};

static PyType_Slot way_slots[] = {
    {Py_tp_init, way_init},
    {Py_tp_methods, way_methods},
    {Py_tp_members, way_members},
    COLLECTED_SLOTS(way),
    {Py_tp_doc, "Way(line, desk, known, next_id, on_done, lines, record, log, invocation, timeout_s, max_bytes)"},
    {0, NULL},
};

static PyType_Spec way_spec = {
    "pelton.compiled.core.Way", sizeof(Way), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, way_slots,
};

int add_way(PyObject *module)
{
    core.way = (PyTypeObject *)PyType_FromSpec(&way_spec);
    return core.way == NULL ? -1 : PyModule_AddType(module, core.way);
}
