/* An exported model without Python: loads a SavedModel by TensorFlow's C API, as TF Serving does,
   and runs one of its signatures.

     run_signature MODEL SIGNATURE OUT [NAME SHAPE FILE]...

   Each input is NAME of SHAPE ("16x16x8x2", or "1") from FILE: raw values, or for a string the one
   string. Each output is written to OUT/NAME as raw values, a string as its bytes, and a line
   "NAME TYPE SHAPE" is printed, TYPE by TensorFlow's number. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

enum { MOST_TENSORS = 8, MOST_AXES = 8, LONGEST_NAME = 512 };

typedef struct {
  const uint8_t *at, *end;
} Bytes;

typedef struct {
  char name[LONGEST_NAME];
  TF_Output place;
  TF_DataType type;
} Slot;

static void fail(const char *rule, const char *received) {
  fprintf(stderr, "run_signature: %s. Received: %s\n", rule, received);
  exit(1);
}

static void check(const TF_Status *status, const char *rule) {
  if (TF_GetCode(status) != TF_OK) fail(rule, TF_Message(status));
}

/* Protocol buffers: just enough to find a signature in a MetaGraphDef. */

static uint64_t varint(Bytes *from) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (from->at == from->end) break;
    uint8_t byte = *from->at++;
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) return value;
  }
  fail("a MetaGraphDef", "a number without an end");
  return 0;
}

/* The next field's number, 0 after the last; of what it holds, either content or value. */
static uint64_t next_field(Bytes *from, Bytes *content, uint64_t *value) {
  if (from->at == from->end) return 0;
  uint64_t key = varint(from), length = 0;
  switch (key & 7) {
    case 0: *value = varint(from); break;
    case 1: length = 8; break;
    case 2: length = varint(from); break;
    case 5: length = 4; break;
    default: fail("a MetaGraphDef", "a field of another kind");
  }
  if (length > (uint64_t)(from->end - from->at)) fail("a MetaGraphDef", "part of one");
  content->at = from->at;
  content->end = from->at += length;
  return key >> 3;
}

static void copy_text(char *to, Bytes text) {
  size_t length = (size_t)(text.end - text.at);
  if (length >= LONGEST_NAME) fail("short names", "a longer one");
  memcpy(to, text.at, length);
  to[length] = 0;
}

/* The next entry of a map that is field `number`; 0 after the last. */
static int next_entry(Bytes *from, uint64_t number, char *name, Bytes *entry) {
  Bytes pair, content = {0, 0};
  uint64_t field, value;
  while ((field = next_field(from, &pair, &value))) {
    if (field != number) continue;
    while ((field = next_field(&pair, &content, &value))) {
      if (field == 1) copy_text(name, content);
      if (field == 2) *entry = content;
    }
    return 1;
  }
  return 0;
}

static Bytes find_signature(Bytes meta_graph, const char *wanted) {
  char name[LONGEST_NAME];
  Bytes signature = {0, 0};
  while (next_entry(&meta_graph, 5, name, &signature))
    if (!strcmp(name, wanted)) return signature;
  fail("a signature of the model", wanted);
  return signature;
}

/* The inputs (1) or outputs (2) of a signature: how many, and where in the graph they are. */
static int read_slots(Bytes signature, uint64_t number, TF_Graph *graph, Slot *slots) {
  Bytes info = {0, 0}, content = {0, 0};
  int count = 0;
  for (; next_entry(&signature, number, slots[count].name, &info); count++) {
    if (count == MOST_TENSORS - 1) fail("few inputs and outputs", "more");
    char tensor[LONGEST_NAME] = "";
    uint64_t field, type = 0;
    while ((field = next_field(&info, &content, &type)))
      if (field == 1) copy_text(tensor, content);
    char *colon = strrchr(tensor, ':');
    if (!colon) fail("a tensor by its name", tensor);
    *colon = 0;
    TF_Output place = {TF_GraphOperationByName(graph, tensor), atoi(colon + 1)};
    if (!place.oper) fail("an operation of the graph", tensor);
    slots[count].place = place;
    slots[count].type = (TF_DataType)type;
  }
  return count;
}

static TF_Tensor *read_tensor(TF_DataType type, const char *shape, const char *file) {
  int64_t sizes[MOST_AXES], count = 1;
  int axes = 0;
  for (char *end; *shape && axes < MOST_AXES; shape = *end ? end + 1 : end) {
    count *= sizes[axes++] = strtoll(shape, &end, 10);
    if (end == shape) fail("a shape such as 16x16x8x2", shape);
  }
  FILE *stream = fopen(file, "rb");
  if (!stream) fail("a file that can be read", file);
  fseek(stream, 0, SEEK_END);
  size_t length = (size_t)ftell(stream);
  rewind(stream);
  size_t size = type == TF_STRING ? sizeof(TF_TString) : (size_t)count * TF_DataTypeSize(type);
  if (type == TF_STRING ? count != 1 : size != length) fail("a file as long as its shape", file);
  TF_Tensor *tensor = TF_AllocateTensor(type, sizes, axes, size);
  char *values = type == TF_STRING ? malloc(length) : TF_TensorData(tensor);
  if (fread(values, 1, length, stream) != length) fail("a file that can be read", file);
  fclose(stream);
  if (type == TF_STRING) {
    TF_StringInit(TF_TensorData(tensor));
    TF_StringCopy(TF_TensorData(tensor), values, length);
    free(values);
  }
  return tensor;
}

static void write_tensor(const char *folder, const char *name, const TF_Tensor *tensor) {
  const void *values = TF_TensorData(tensor);
  size_t length = TF_TensorByteSize(tensor);
  if (TF_TensorType(tensor) == TF_STRING) {
    if (TF_TensorElementCount(tensor) != 1) fail("one string", name);
    length = TF_StringGetSize(values);
    values = TF_StringGetDataPointer(values);
  }
  char path[4096];
  if (snprintf(path, sizeof path, "%s/%s", folder, name) >= (int)sizeof path)
    fail("a shorter path", folder);
  FILE *stream = fopen(path, "wb");
  if (!stream || fwrite(values, 1, length, stream) != length || fclose(stream))
    fail("a file that can be written", path);
  printf("%s %d ", name, (int)TF_TensorType(tensor));
  for (int axis = 0; axis < TF_NumDims(tensor); axis++)
    printf("%s%lld", axis ? "x" : "", (long long)TF_Dim(tensor, axis));
  printf("\n");
}

int main(int count, char **words) {
  if (count < 4 || (count - 4) % 3)
    fail("run_signature MODEL SIGNATURE OUT [NAME SHAPE FILE]...", "other arguments");
  const char *tag = "serve";
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  TF_Buffer *buffer = TF_NewBuffer();
  TF_Session *session =
      TF_LoadSessionFromSavedModel(options, NULL, words[1], &tag, 1, graph, buffer, status);
  check(status, "a SavedModel");

  Bytes meta_graph = {buffer->data, (const uint8_t *)buffer->data + buffer->length};
  Bytes signature = find_signature(meta_graph, words[2]);
  Slot inputs[MOST_TENSORS], outputs[MOST_TENSORS];
  int fed = read_slots(signature, 1, graph, inputs);
  int fetched = read_slots(signature, 2, graph, outputs);

  TF_Output feeds[MOST_TENSORS], fetches[MOST_TENSORS];
  TF_Tensor *given[MOST_TENSORS] = {0}, *answers[MOST_TENSORS] = {0};
  for (int n = 0; n < fed; n++) {
    feeds[n] = inputs[n].place;
    for (int word = 4; word < count; word += 3)
      if (!strcmp(words[word], inputs[n].name))
        given[n] = read_tensor(inputs[n].type, words[word + 1], words[word + 2]);
    if (!given[n]) fail("all inputs of the signature", inputs[n].name);
  }
  for (int n = 0; n < fetched; n++) fetches[n] = outputs[n].place;
  TF_SessionRun(session, NULL, feeds, given, fed, fetches, answers, fetched, NULL, 0, NULL, status);
  check(status, "inputs that the signature takes");

  for (int n = 0; n < fetched; n++) {
    write_tensor(words[3], outputs[n].name, answers[n]);
    TF_DeleteTensor(answers[n]);
  }
  for (int n = 0; n < fed; n++) {
    if (inputs[n].type == TF_STRING) TF_StringDealloc(TF_TensorData(given[n]));
    TF_DeleteTensor(given[n]);
  }
  TF_CloseSession(session, status);
  TF_DeleteSession(session, status);
  TF_DeleteBuffer(buffer);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
