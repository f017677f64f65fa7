-- +goose Up

alter type attention_reason add value if not exists 'invalid_output'; -- of a pivot or a retriable step with an output_schema

-- +goose Down

-- attention_reason keeps its new value: an enum cannot lose one.
