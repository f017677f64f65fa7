-- +goose Up

-- A definition whose steps all wait, or start sagas, has no queues.
alter table definitions drop constraint definitions_queues_check;

create table children (
    saga_id text collate "C" primary key references sagas (id) on delete cascade,
    parent  text collate "C" not null,
    step    text not null,
    level   integer not null check (level > 1)
);
comment on table children is 'The sagas that a step of another saga has started. A parent may be deleted before its child.';
create index children_parent on children (parent, saga_id);

-- +goose Down

drop table children;
alter table definitions add constraint definitions_queues_check check (cardinality(queues) > 0) not valid;
