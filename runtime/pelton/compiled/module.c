/* pelton.compiled.core: what of a request's way through the server is compiled. */

#include "core.h"

Core core;

static PyObject *use(PyObject *Py_UNUSED(module), PyObject *args)
{
    PyObject *queued, *running, *done, *answer;
    int kind;
    if (!PyArg_ParseTuple(args, "OOOOi:use", &queued, &running, &done, &answer, &kind))
        return NULL;
    if (!PyType_Check(answer) || !PyType_IsSubtype((PyTypeObject *)answer, &PyTuple_Type)) {
        PyErr_SetString(PyExc_TypeError, "answers must be tuples");
        return NULL;
    }
    Py_INCREF(queued);
    Py_INCREF(running);
    Py_INCREF(done);
    Py_INCREF(answer);
    put(&core.queued, queued);
    put(&core.running, running);
    put(&core.done, done);
    put((PyObject **)&core.answer, answer);
    core.answer_kind = kind;
    Py_RETURN_NONE;
}

static PyMethodDef own_methods[] = {
    {"use", use, METH_VARARGS, "use(queued, running, done, answer, answer_kind): be told of Python's objects."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "pelton.compiled.core",
    "What of a request's way through the server is compiled; see pelton.compiled.reference.",
    -1, own_methods, NULL, NULL, NULL, NULL,
};

static int intern(void)
{
    const struct { PyObject **place; const char *text; } names[] = {
        {&core.append, "append"}, {&core.popleft, "popleft"}, {&core.receive, "receive"},
        {&core.turn_at_name, "turn_at"}, {&core.watch, "watch"}, {&core.look, "look_ahead_if_due"},
        {&core.is_closing, "is_closing"}, {&core.write, "write"}, {&core.send_in_pieces, "send_in_pieces"},
        {&core.read_paused, "read_paused"}, {&core.content_length, "content_length"},
        {&core.content_type, "content_type"}, {&core.timeout, "timeout"},
        {&core.request_id, "request_id"}, {&core.prefix, "prefix"},
        {&core.unset_keep_alive, "_unset_keepalive_if_required"},
        {&core.expectation, "expectation"}, {&core.known, "known"}, {&core.rows, "rows"},
        {&core.sample, "sample"}, {&core.wire, "wire"},
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if ((*names[i].place = PyUnicode_InternFromString(names[i].text)) == NULL)
            return -1;
    core.empty = PyBytes_FromStringAndSize(NULL, 0);
    return core.empty == NULL ? -1 : 0;
}

PyMODINIT_FUNC PyInit_core(void)
{
    PyObject *module = PyModule_Create(&definition);
    if (module == NULL)
        return NULL;
    if (intern() < 0 || add_types(module) < 0 || add_way(module) < 0 || add_load(module) < 0
        || PyModule_AddFunctions(module, batch_methods) < 0
        || PyModule_AddFunctions(module, worker_methods) < 0) {
        Py_DECREF(module);
        return NULL;
    }
    return module;
}
