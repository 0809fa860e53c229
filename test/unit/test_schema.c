/* test_schema: CRD schemas: pruning, defaults, validation and the words it uses. */
#include "test.h"

#include <stdlib.h>

#include "core/base/json.h"
#include "core/base/mem.h"
#include "k8s/model/cause.h"
#include "k8s/model/schema.h"

/* clang-format off */
static const char crd[] =
    "{'type':'object','properties':{"
    " 'spec':{'type':'object','required':['repository'],'properties':{"
    "  'repository':{'type':'string','minLength':1,'maxLength':8},"
    "  'driver':{'type':'string','enum':['Restic','VolumeSnapshotter'],'default':'Restic'},"
    "  'timeOut':{'type':'string','pattern':'^(0|([0-9]+(\\\\.[0-9]*)?(ns|us|ms|s|m|h))+)$'},"
    "  'retry':{'type':'object','properties':{'delay':{'type':'string','default':'1m'},"
    "    'max':{'type':'integer','format':'int32','minimum':0,'maximum':10,'exclusiveMaximum':true}}},"
    "  'port':{'x-kubernetes-int-or-string':true,'anyOf':[{'type':'integer'},{'type':'string'}]},"
    "  'when':{'type':'string','format':'date-time'},"
    "  'data':{'type':'string','format':'byte'},"
    "  'note':{'type':'string','nullable':true},"
    "  'params':{'type':'object','maxProperties':2,'additionalProperties':{'type':'string'}},"
    "  'raw':{'type':'object','x-kubernetes-preserve-unknown-fields':true,'properties':{"
    "    'known':{'type':'object','properties':{'a':{'type':'string'}}}}},"
    "  'any':{'x-kubernetes-preserve-unknown-fields':true},"
    "  'pod':{'type':'object','x-kubernetes-embedded-resource':true,'properties':{'spec':{'type':'object'}}},"
    "  'source':{'type':'object','properties':{'a':{'type':'string'},'b':{'type':'string'}},"
    "    'oneOf':[{'required':['a']},{'required':['b']}]},"
    "  'plain':{'type':'object','properties':{'a':{'type':'string'}},'not':{'required':['a']}},"
    "  'tags':{'type':'array','x-kubernetes-list-type':'set','items':{'type':'string'}},"
    "  'steps':{'type':'array','minItems':1,'maxItems':2,'x-kubernetes-list-type':'map',"
    "  'x-kubernetes-list-map-keys':['name'],"
    "    'items':{'type':'object','required':['name'],'properties':{'name':{'type':'string'},"
    "      'params':{'type':'array','items':{'type':'object','properties':{'name':{'type':'string'}}}}}}}"
    " }},"
    " 'frozen':{'type':'object','properties':{'a':{'type':'string'}},"
    "   'x-kubernetes-validations':[{'rule':'self == oldSelf','message':'spec is immutable'}]},"
    " 'counted':{'type':'string','x-kubernetes-validations':[{'rule':'size(self) > 1'}]},"
    " 'status':{'type':'object','properties':{'phase':{'type':'string'}}}"
    "}}";
/* clang-format on */

/* JSON with ' for ". */
static json_t *parse(const char *text)
{
    char *copy = mem_strdup(text);
    json_error_t e;
    json_t *value;

    for (char *p = copy; *p; p++)
        *p = *p == '\'' ? '"' : *p;
    value = json_loads(copy, JSON_DECODE_ANY, &e);
    if (!value)
        fail_msg("%s at %d", e.text, e.position);
    mem_free(copy);
    return value;
}

static struct schema *make(const char *text)
{
    struct error e = {0};
    json_t *source = parse(text);
    struct schema *s = schema_compile(source, &e);

    json_decref(source);
    if (!s)
        fail_msg("%s", e.msg);
    return s;
}

/* What is wrong with {"spec": spec}, as one text. */
static void assert_wrong(struct schema *s, const char *object, const char *old, const char *text)
{
    json_t *now = parse(object), *before = old ? parse(old) : NULL, *causes = json_array();
    int n = schema_validate(s, now, before, causes);
    struct buf out;

    buf_init(&out, 1 << 20);
    cause_text(causes, &out);
    assert_string_equal(out.data, text);
    assert_int_equal(n, json_array_size(causes));
    buf_done(&out);
    json_decref(now);
    json_decref(before);
    json_decref(causes);
}

static void assert_json(json_t *value_take, const char *expected)
{
    json_t *wanted = parse(expected);
    char *text = json_dumps(value_take, JSON_SORT_KEYS | JSON_COMPACT);
    char *other = json_dumps(wanted, JSON_SORT_KEYS | JSON_COMPACT);

    assert_string_equal(text, other);
    mem_free(text);
    mem_free(other);
    json_decref(wanted);
    json_decref(value_take);
}

static int setup(void **state)
{
    *state = make(crd);
    return 0;
}

static int teardown(void **state)
{
    schema_free(*state);
    return 0;
}

static void unknown_fields_are_pruned_but_where_they_are_kept(void **state)
{
    json_t *o =
        parse("{'apiVersion':'v1','kind':'X','metadata':{'name':'n','nmae':1},'extra':1,'spec':{'repositry':'r',"
              "'params':{'a':'b'},'raw':{'x':1,'known':{'a':'1','b':2}},'any':{'deep':[{'x':1}]},"
              "'pod':{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'data':1,'spec':{'gone':1}},"
              "'steps':[{'name':'a','bad':1,'params':[{'nam':1}]}]}}");
    json_t *paths = json_array();

    schema_prune(*state, o, paths);
    assert_json(paths, "['metadata.nmae','extra','spec.repositry','spec.raw.known.b','spec.pod.data',"
                       "'spec.pod.spec.gone','spec.steps[0].bad','spec.steps[0].params[0].nam']");
    assert_json(o, "{'apiVersion':'v1','kind':'X','metadata':{'name':'n'},'spec':{"
                   "'params':{'a':'b'},'raw':{'x':1,'known':{'a':'1'}},'any':{'deep':[{'x':1}]},"
                   "'pod':{'apiVersion':'v1','kind':'Pod','metadata':{'name':'p'},'spec':{}},"
                   "'steps':[{'name':'a','params':[{}]}]}}");
}

static void defaults_come_where_the_parent_is(void **state)
{
    json_t *o = parse("{'spec':{'repository':'r'}}");

    schema_default(*state, o);
    assert_json(o, "{'spec':{'repository':'r','driver':'Restic'}}");
    o = parse("{'spec':{'driver':'Own','retry':{}}}");
    schema_default(*state, o);
    assert_json(o, "{'spec':{'driver':'Own','retry':{'delay':'1m'}}}");
    o = parse("{}");
    schema_default(*state, o);
    assert_json(o, "{}");
}

static void a_null_that_may_not_be_is_dropped_or_defaulted(void **state)
{
    json_t *o = parse("{'spec':{'repository':null,'driver':null,'note':null},'status':null}");

    schema_default(*state, o);
    assert_json(o, "{'spec':{'driver':'Restic','note':null}}");
}

static void a_default_of_an_object_is_filled_too(void **state)
{
    struct schema *s = make("{'type':'object','properties':{'a':{'type':'object','default':{},'properties':{"
                            "'b':{'type':'integer','default':3}}},'l':{'type':'array','items':{'type':'object',"
                            "'properties':{'c':{'type':'boolean','default':true}}}}}}");
    json_t *o = parse("{'l':[{},{'c':false}]}");

    (void)state;
    schema_default(s, o);
    assert_json(o, "{'a':{'b':3},'l':[{'c':true},{'c':false}]}");
    schema_free(s);
}

static void messages_are_the_api_servers(void **state)
{
    static const struct {
        const char *spec, *text;
    } rows[] = {
        {"{}", "spec.repository: Required value"},
        {"{'repository':1}", "spec.repository: Invalid value: \"integer\": spec.repository in body must be of type "
                             "string: \"integer\""},
        {"{'repository':null}", "spec.repository: Invalid value: \"null\": spec.repository in body must be of type "
                                "string: \"null\""},
        {"{'repository':''}", "spec.repository: Invalid value: \"\": spec.repository in body should be at least 1 "
                              "chars long"},
        {"{'repository':'123456789'}", "spec.repository: Too long: may not be more than 8 bytes"},
        {"{'repository':'\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4'}", ""},
        {"{'repository':'r','driver':'x'}", "spec.driver: Unsupported value: \"x\": supported values: \"Restic\", "
                                            "\"VolumeSnapshotter\""},
        {"{'repository':'r','timeOut':'1h30m'}", ""},
        {"{'repository':'r','timeOut':'1d'}",
         "spec.timeOut: Invalid value: \"1d\": spec.timeOut in body should match "
         "'^(0|([0-9]+(\\.[0-9]*)?(ns|us|ms|s|m|h))+)$'"},
        {"{'repository':'r','retry':{'max':-1}}", "spec.retry.max: Invalid value: -1: spec.retry.max in body should "
                                                  "be greater than or equal to 0"},
        {"{'repository':'r','retry':{'max':10}}", "spec.retry.max: Invalid value: 10: spec.retry.max in body should "
                                                  "be less than 10"},
        {"{'repository':'r','retry':{'max':1.5}}", "spec.retry.max: Invalid value: \"number\": spec.retry.max in "
                                                   "body must be of type integer: \"number\""},
        {"{'repository':'r','port':80}", ""},
        {"{'repository':'r','port':'http'}", ""},
        {"{'repository':'r','port':{}}", "spec.port: Invalid value: \"object\": spec.port in body must be of type "
                                         "integer,string: \"object\""},
        {"{'repository':'r','when':'2026-03-01T02:00:00Z'}", ""},
        {"{'repository':'r','when':'soon'}", "spec.when: Invalid value: \"soon\": spec.when in body must be of type "
                                             "date-time: \"soon\""},
        {"{'repository':'r','data':'aGFs'}", ""},
        {"{'repository':'r','data':'aG*'}", "spec.data: Invalid value: \"aG*\": spec.data in body must be of type "
                                            "byte: \"aG*\""},
        {"{'repository':'r','note':null}", ""},
        {"{'repository':'r','params':{'a':1}}", "spec.params.a: Invalid value: \"integer\": spec.params.a in body "
                                                "must be of type string: \"integer\""},
        {"{'repository':'r','params':{'a':'','b':'','c':''}}", "spec.params: Too many: 3: must have at most 2 items"},
        {"{'repository':'r','pod':{'kind':''}}",
         "[spec.pod.apiVersion: Required value, spec.pod.kind: Required value]"},
        {"{'repository':'r','source':{'a':'1'}}", ""},
        {"{'repository':'r','source':{}}", "spec.source: Invalid value: \"\": \"spec.source\" must validate one and "
                                           "only one schema (oneOf). Found none valid"},
        {"{'repository':'r','source':{'a':'','b':''}}", "spec.source: Invalid value: \"\": \"spec.source\" must "
                                                        "validate one and only one schema (oneOf). Found more than "
                                                        "one valid"},
        {"{'repository':'r','plain':{'a':''}}", "spec.plain: Invalid value: \"\": \"spec.plain\" must not validate "
                                                "the schema (not)"},
        {"{'repository':'r','tags':['a','b','a']}", "spec.tags[2]: Duplicate value: \"a\""},
        {"{'repository':'r','steps':[]}", "spec.steps: Invalid value: 0: spec.steps in body should have at least 1 "
                                          "items"},
        {"{'repository':'r','steps':[{'name':'a'},{'name':'a'}]}", "spec.steps[1]: Duplicate value: "
                                                                   "{\"name\":\"a\"}"},
        {"{'repository':'r','steps':[{}]}", "spec.steps[0].name: Required value"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE char *object = mem_printf("{'spec':%s}", rows[i].spec);

        assert_wrong(*state, object, NULL, rows[i].text);
    }
}

static void a_rule_of_change_freezes_a_field_after_its_creation(void **state)
{
    assert_wrong(*state, "{'frozen':{'a':'1'}}", NULL, "");
    assert_wrong(*state, "{'frozen':{'a':'1'}}", "{'frozen':{'a':'1'}}", "");
    assert_wrong(*state, "{'counted':'x'}", NULL, ""); /* a rule that only a real server evaluates */
    assert_wrong(*state, "{'frozen':{'a':'2'}}", "{'frozen':{'a':'1'}}",
                 "frozen: Invalid value: \"object\": spec is immutable");
}

static void what_was_wrong_before_and_is_unchanged_passes(void **state)
{
    assert_wrong(*state, "{'spec':{'repository':'r','driver':'x','note':'new'}}",
                 "{'spec':{'repository':'r','driver':'x'}}", "");
    assert_wrong(*state, "{'spec':{'repository':'r','steps':[{'name':'b'},{'name':'a','params':1}]}}",
                 "{'spec':{'repository':'r','steps':[{'name':'a','params':1}]}}", "");
}

static void patterns_are_ecma(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool fits;
    } rows[] = {
        {"^\\\\d+$", "12", true},           {"^\\\\d+$", "1a", false},
        {"^[\\\\w.-]+$", "a_1.-", true},    {"^[\\\\w.-]+$", "a b", false},
        {"^[\\\\]a]$", "]", true},          {"^[^\\\\d]$", "1", false},
        {"^(?:a|b)$", "b", true},           {"^a\\\\.b$", "axb", false},
        {"^a\\\\-b\\\\/$", "a-b/", true},   {"(?i)^abc$", "ABC", true},
        {"^\\\\S+$", "a b", false},         {"b", "abc", true},
        {"^[+-]?[0-9]$", "-1", true},       {"^[a\\\\-z]$", "b", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        AUTO_FREE char *text =
            mem_printf("{'type':'object','properties':{'p':{'type':'string','pattern':'%s'}}}", rows[i].pattern);
        AUTO_FREE char *object = mem_printf("{'p':'%s'}", rows[i].text);
        struct schema *s = make(text);
        json_t *o = parse(object), *causes = json_array();

        if ((schema_validate(s, o, NULL, causes) == 0) != rows[i].fits)
            fail_msg("%s on %s", rows[i].pattern, rows[i].text);
        json_decref(o);
        json_decref(causes);
        schema_free(s);
    }
}

static void a_schema_that_we_cannot_keep_is_refused_by_name(void **state)
{
    static const struct {
        const char *schema, *text;
    } rows[] = {
        {"{'type':'string'}", "openAPIV3Schema: Invalid value: type must be object at the root"},
        {"{'type':'object','properties':{'a':{}}}",
         "openAPIV3Schema.a: Required value: type must not be empty for specified object fields"},
        {"{'type':'object','properties':{'a':{'type':'text'}}}", "openAPIV3Schema.a: Unsupported value: type must be "
                                                                 "object, array, string, integer, number or boolean"},
        {"{'type':'object','properties':{'a':{'type':'string','pattern':'(?=a)'}}}",
         "pattern (?=a): group (?= is not supported"},
        {"{'type':'object','properties':{'a':{'type':'string','pattern':'[a'}}}", "pattern [a: missing ]"},
        {"{'type':'object','x-kubernetes-validations':[{'message':'x'}]}", "a validation rule has no text"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *source = parse(rows[i].schema);
        struct error e = {0};

        assert_null(schema_compile(source, &e));
        assert_string_equal(e.msg, rows[i].text);
        json_decref(source);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_fields_are_pruned_but_where_they_are_kept),
        cmocka_unit_test(defaults_come_where_the_parent_is),
        cmocka_unit_test(a_null_that_may_not_be_is_dropped_or_defaulted),
        cmocka_unit_test(a_default_of_an_object_is_filled_too),
        cmocka_unit_test(messages_are_the_api_servers),
        cmocka_unit_test(a_rule_of_change_freezes_a_field_after_its_creation),
        cmocka_unit_test(what_was_wrong_before_and_is_unchanged_passes),
        cmocka_unit_test(patterns_are_ecma),
        cmocka_unit_test(a_schema_that_we_cannot_keep_is_refused_by_name),
    };
    int failed;
    size_t live;

    mem_install(1);
    live = mem_live();
    failed = cmocka_run_group_tests(tests, setup, teardown);
    if (mem_live() != live) {
        print_error("%zu blocks left\n", mem_live() - live);
        return 1;
    }
    return failed;
}
